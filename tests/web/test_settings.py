"""Settings are read once and every fault is named at once."""

from datetime import timedelta

import pytest

from sts.core.errors import InvalidConfiguration
from sts.core.model import KeyType
from sts.core.rollover import DEFAULT_POLICIES, RingName
from sts.settings import LogFormat, Settings, is_loopback

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def test_an_empty_environment_gives_a_loopback_service_in_this_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environ({})
    assert settings.base_url == "http://127.0.0.1:8000"
    assert settings.database_url == f"sqlite:///{tmp_path}/sts.db"
    assert settings.master_key_file == tmp_path / "keys" / "master.key"
    assert settings.is_plain_http
    assert settings.log_format is LogFormat.JSON


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///data/sts.db", "sqlite:////srv/sts/data/sts.db"),
        ("sqlite:////var/sts.db", "sqlite:////var/sts.db"),
        ("postgresql://db/sts", "postgresql://db/sts"),
    ],
)
def test_relative_sqlite_paths_are_relative_to_the_home_folder(url, expected):
    assert Settings.from_environ({"STS_HOME": "/srv/sts", "STS_DATABASE_URL": url}).database_url == expected


def test_every_fault_is_reported_at_once():
    with pytest.raises(InvalidConfiguration) as refused:
        Settings.from_environ(
            {
                "STS_BASE_URL": "http://sts.example",
                "STS_TRUSTED_PROXIES": "10.0.0.0/8,proxy",
                "STS_EXTRA_ROOTS": "missing.pem",
                "STS_WORKERS": "many",
                "STS_LOG_FORMAT": "xml",
            }
        )
    named = [fault.partition(":")[0] for fault in refused.value.faults]
    assert named == ["STS_BASE_URL", "STS_TRUSTED_PROXIES", "STS_EXTRA_ROOTS", "STS_WORKERS", "STS_LOG_FORMAT"]


@pytest.mark.parametrize(
    "url", ["http://sts.example", "ftp://sts.example", "sts.example", "https://a@b", "https://a/b"]
)
def test_a_base_url_that_could_not_be_ours_stops_the_start(url):
    with pytest.raises(InvalidConfiguration, match="STS_BASE_URL"):
        Settings.from_environ({"STS_BASE_URL": url})


@pytest.mark.parametrize(
    "url", ["http://localhost:8000", "http://[::1]:8000", "http://127.8.9.1", "https://sts.example/"]
)
def test_plain_http_is_for_loopback_alone(url):
    assert Settings.from_environ({"STS_BASE_URL": url}).base_url == url.rstrip("/")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "sts.localhost"])
def test_loopback_names_are_known(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", [None, "", "127.0.0.1.evil.com", "10.0.0.1", "localhost.evil.com", "0.0.0.0"])
def test_other_names_are_not_loopback(host):
    assert not is_loopback(host)


def test_a_header_for_certificates_of_clients_is_read_only_when_it_is_named():
    assert Settings.from_environ({"STS_TRUSTED_PROXIES": "10.0.0.1"}).client_certificate_header is None
    named = {"STS_TRUSTED_PROXIES": "10.0.0.1", "STS_CLIENT_CERTIFICATE_HEADER": "ClientCert"}
    assert Settings.from_environ(named).client_certificate_header == "ClientCert"


@pytest.mark.parametrize(
    "name", ["Client-Cert", "Client_Cert", "Client Cert", "-", "Host", "authorization", "X-Forwarded-For", "é"]
)
def test_a_header_that_is_somebody_elses_or_could_be_forged_stops_the_start(name):
    with pytest.raises(InvalidConfiguration, match="STS_CLIENT_CERTIFICATE_HEADER"):
        Settings.from_environ({"STS_TRUSTED_PROXIES": "10.0.0.1", "STS_CLIENT_CERTIFICATE_HEADER": name})


def test_without_a_trusted_proxy_nobody_could_say_who_a_client_is():
    with pytest.raises(InvalidConfiguration, match="STS_TRUSTED_PROXIES"):
        Settings.from_environ({"STS_CLIENT_CERTIFICATE_HEADER": "ClientCert"})


def test_without_settings_rings_have_the_policies_of_the_seed():
    defaults = Settings.from_environ({}).ring_defaults
    assert (defaults.policies, defaults.max_age) == (DEFAULT_POLICIES, HOUR)


def test_the_policies_of_rings_are_settings_for_each_ring_that_can_have_them():
    environ = {
        "STS_ROLLOVER_LIFETIME": "1y",
        "STS_ROLLOVER_LEAD": "60d",
        "STS_ROLLOVER_TURN": "30d",
        "STS_ROLLOVER_KEY_TYPE": "p256",
        "STS_ROLLOVER_AUTOMATIC": "false",
        "STS_METADATA_MAX_AGE": "10m",
    }
    defaults = Settings.from_environ(environ).ring_defaults
    assert defaults.max_age == timedelta(minutes=10)
    assert {(policy.lead, policy.turn) for policy in defaults.policies.values()} == {(60 * DAY, 30 * DAY)}
    assert {policy.automatic for policy in defaults.policies.values()} == {False}
    said = {name.value: (policy.lifetime // DAY, policy.key_type) for name, policy in defaults.policies.items()}
    assert said == {
        "signing": (365, KeyType.P256),
        "decryption": (365, KeyType.RSA2048),  # which partners can encrypt to
        "tenant-ca": (365, KeyType.P256),
        "signing-keys": (3650, None),
    }


def test_a_short_lifetime_shortens_the_spans_that_nobody_set():
    signing = Settings.from_environ({"STS_ROLLOVER_LIFETIME": "30d"}).ring_defaults.policies[RingName.SIGNING]
    assert (signing.lead, signing.turn) == (15 * DAY, timedelta(days=7.5))


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"STS_ROLLOVER_LIFETIME": "30d", "STS_ROLLOVER_LEAD": "30d"}, ["STS_ROLLOVER_LEAD"]),
        ({"STS_ROLLOVER_LEAD": "20d", "STS_ROLLOVER_TURN": "20d"}, ["STS_ROLLOVER_TURN"]),
        ({"STS_ROLLOVER_LIFETIME": "1s"}, ["STS_ROLLOVER_LIFETIME", "STS_ROLLOVER_LEAD", "STS_ROLLOVER_TURN"]),
        ({"STS_ROLLOVER_LEAD": "1h"}, ["STS_ROLLOVER_LEAD"]),
        (
            {
                "STS_ROLLOVER_LIFETIME": "two years",
                "STS_ROLLOVER_LEAD": "-1d",
                "STS_ROLLOVER_TURN": "0d",
                "STS_ROLLOVER_KEY_TYPE": "rsa1024",
                "STS_ROLLOVER_AUTOMATIC": "perhaps",
                "STS_METADATA_MAX_AGE": "8d",
                "STS_LOG_FORMAT": "xml",
            },
            [
                *("STS_LOG_FORMAT", "STS_METADATA_MAX_AGE", "STS_ROLLOVER_LIFETIME", "STS_ROLLOVER_LEAD"),
                *("STS_ROLLOVER_TURN", "STS_ROLLOVER_KEY_TYPE", "STS_ROLLOVER_AUTOMATIC"),
            ],
        ),
    ],
)
def test_policies_are_held_against_each_other_and_all_faults_are_told_at_once(environ, named):
    with pytest.raises(InvalidConfiguration) as refused:
        Settings.from_environ(environ)
    assert list(dict.fromkeys(fault.partition(":")[0] for fault in refused.value.faults)) == named
    assert len(set(refused.value.faults)) == len(refused.value.faults)


def test_the_mark_lies_in_a_folder_that_is_there(tmp_path):
    assert Settings.from_environ({"STS_HOME": str(tmp_path)}).mark_file is None
    assert Settings.from_environ({"STS_HOME": str(tmp_path), "STS_MARK_FILE": "mark"}).mark_file == tmp_path / "mark"
    for wrong in ("absent/mark", str(tmp_path)):
        with pytest.raises(InvalidConfiguration, match="STS_MARK_FILE"):
            Settings.from_environ({"STS_HOME": str(tmp_path), "STS_MARK_FILE": wrong})
