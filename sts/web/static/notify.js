window.external.notify(document.getElementById("answer").textContent);
