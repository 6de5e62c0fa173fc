//! Instances whose subnet has no way to the internet: what each endpoint is needed for, and an engine without PyPI.

use reveille_e2e_tests::{Notebook, World};
use reveille_notebook_service::Endpoint;

use crate::{Scenario, faults::equipped_in, start};

pub(crate) const ALL: &[Scenario] = &[("network::three_endpoints_are_enough", |h, w| h.block_on(three_endpoints(w)))];

/// The port of an address like `http://127.0.0.1:4566`.
fn port(address: &str) -> u16 {
    address.trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

const S3: u16 = 4001;
const STATES: u16 = 4002;
const SAGEMAKER: u16 = 4003;

/// A subnet with these endpoints, and no other way out.
fn subnet(world: &World, name: &str, reached: &[u16]) {
    let environment = world.local().environment();
    let (aws, sagemaker) = (port(&environment["AWS_ENDPOINT_URL"]), port(&environment["AWS_ENDPOINT_URL_SAGEMAKER"]));
    let to = |port| if port == SAGEMAKER { sagemaker } else { aws };
    let endpoints = reached.iter().map(|port| Endpoint { port: *port, to: to(*port) }).collect();
    world.local().service().set_subnet(name, endpoints);
}

/// Each service has its own name on AWS; here, its own port.
fn endpoints() -> String {
    format!(
        "unset AWS_ENDPOINT_URL\nexport AWS_ENDPOINT_URL_S3=http://127.0.0.1:{S3} AWS_ENDPOINT_URL_SFN=http://127.0.0.1:{STATES} \
         AWS_ENDPOINT_URL_SAGEMAKER=http://127.0.0.1:{SAGEMAKER}\n"
    )
}

async fn three_endpoints(world: &World) {
    const NAME: &str = "boot-private";
    subnet(world, "subnet-private", &[S3, STATES, SAGEMAKER]);
    equipped_in(world, NAME, Some("subnet-private"), &endpoints()).await;
    let run = start(world, NAME, &Notebook::of(&["print('cut off')"])).await;
    run.assert_succeeded(NAME).await;
    world.until_status(NAME, "Stopped").await;
    world.assert_at_rest(NAME, 1).await;
}
