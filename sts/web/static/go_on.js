var goOn = function () { location.replace(document.getElementById("go-on").href); };
addEventListener("load", goOn);
setTimeout(goOn, 5000);
