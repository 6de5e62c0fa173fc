//! The list of endpoints in docs/instance.md is what these found.
//!
//! Instances whose subnet has no way to the internet: what each endpoint is needed for, and an engine without PyPI.

use std::sync::atomic::Ordering;

use reveille_e2e_tests::{LocalAws, Notebook, SUBNET_PORTS};
use reveille_instance_model::Hook;
use reveille_notebook_service::Endpoint;
use serde_json::Value;

use crate::{
    Scenario, archives,
    faults::{RUNNER_LOG_KEPT, equipped_in, rests_without_a_runner, runner_log},
    front::nobody,
    start,
};

pub(crate) const ALL: &[Scenario] = &[
    ("network::three_endpoints_are_enough", |h, w| h.block_on(three_endpoints(w))),
    ("network::without_s3_or_states_no_run_is_taken", |h, w| h.block_on(without_one(w))),
    ("network::without_sagemaker_the_functions_stop_the_instance", |h, w| h.block_on(without_sagemaker(w))),
    ("network::the_engine_is_made_without_a_way_to_pypi", |h, w| h.block_on(without_pypi(w))),
];

/// The port of an address like `http://127.0.0.1:4566`.
fn port(address: &str) -> u16 {
    address.trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

pub(crate) const S3: u16 = SUBNET_PORTS[0];
pub(crate) const STATES: u16 = SUBNET_PORTS[1];
pub(crate) const SAGEMAKER: u16 = SUBNET_PORTS[2];

/// All that is needed, in a network of its own; gives the commands that name the endpoints.
pub(crate) fn private(world: &LocalAws, name: &str) -> String {
    subnet(world, name, &[S3, STATES, SAGEMAKER]);
    endpoints()
}

/// A subnet with these endpoints, and no other way out.
fn subnet(world: &LocalAws, name: &str, reached: &[u16]) {
    let endpoints: Vec<(u16, u16)> = reached.iter().map(|port| (*port, behind(world, *port))).collect();
    subnet_with(world, name, &endpoints);
}

/// The same, with what answers at each.
pub(crate) fn subnet_with(world: &LocalAws, name: &str, reached: &[(u16, u16)]) {
    let endpoints = reached.iter().map(|(port, to)| Endpoint { port: *port, to: *to }).collect();
    world.local().service().set_subnet(name, endpoints);
}

/// The port of the local AWS that an endpoint leads to.
pub(crate) fn behind(world: &LocalAws, endpoint: u16) -> u16 {
    let service = if endpoint == SAGEMAKER { "AWS_ENDPOINT_URL_SAGEMAKER" } else { "AWS_ENDPOINT_URL" };
    port(&world.local().environment()[service])
}

/// Each service has its own name on AWS; here, its own port.
pub(crate) fn endpoints() -> String {
    format!(
        "unset AWS_ENDPOINT_URL\nexport AWS_ENDPOINT_URL_S3=http://127.0.0.1:{S3} AWS_ENDPOINT_URL_SFN=http://127.0.0.1:{STATES} \
         AWS_ENDPOINT_URL_SAGEMAKER=http://127.0.0.1:{SAGEMAKER}\n"
    )
}

/// Where every other service of AWS would be.
const OTHERS: u16 = 4009;

/// Everything else of AWS, CloudWatch Logs included, has an address at which nobody of ours asks.
async fn three_endpoints(world: &LocalAws) {
    const NAME: &str = "boot-private";
    let (others, asked) = nobody();
    let reached = [S3, STATES, SAGEMAKER].map(|port| (port, behind(world, port)));
    subnet_with(world, NAME, &[&reached[..], &[(OTHERS, others)]].concat());
    let commands = endpoints() + &format!("export AWS_ENDPOINT_URL=http://127.0.0.1:{OTHERS}\n");
    // That it counts who asks is seen by asking.
    let asks = format!("(exec 3<>/dev/tcp/127.0.0.1/{OTHERS}; cat <&3)\n");
    equipped_in(world, NAME, Some(NAME), &(commands + &asks)).await;
    let run = start(world, NAME, &Notebook::of(&["print('cut off')"])).await;
    run.assert_succeeded(NAME).await;
    world.until_status(NAME, "Stopped").await;
    world.assert_at_rest(NAME, 1).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1, "nothing of ours needs another service");
}

/// The runner is fetched from S3. It takes no run that it could not answer.
async fn without_one(world: &LocalAws) {
    tokio::join!(without(world, "boot-no-s3", [STATES, SAGEMAKER]), without(world, "boot-no-states", [S3, SAGEMAKER]));
}

async fn without(world: &LocalAws, name: &str, reached: [u16; 2]) {
    subnet(world, name, &reached);
    equipped_in(world, name, Some(name), &(endpoints() + RUNNER_LOG_KEPT)).await;
    let run = start(world, name, &Notebook::of(&["open('ran', 'w')"])).await;
    let ended = run.assert_failed(name, "RunnerSilent").await;
    // Without S3 there is no runner; without Step Functions there is one that says in its log what it misses.
    let told = if reached.contains(&S3) {
        assert!(runner_log(world, name).contains("states:SendTaskHeartbeat"), "{}", runner_log(world, name));
        "started when it booted, but did not pick up the run".to_owned()
    } else {
        format!("{name}/LifecycleConfigOnStart")
    };
    assert!(ended.cause.contains(&told), "{}", ended.cause);
    assert_eq!(run.claims(name).await, 0);
    assert!(!world.local().notebooks(name).join("ran").exists(), "no notebook started");
    let log = std::fs::read_to_string(world.local().service().log_file(name, Hook::OnStart)).unwrap();
    assert_eq!(log.contains("THE RUNNER IS NOT STARTED"), !reached.contains(&S3), "{log}");
    rests_without_a_runner(world, name).await;
}

/// The runner cannot stop its instance; whoever waits for the stop does.
async fn without_sagemaker(world: &LocalAws) {
    const NAME: &str = "boot-no-sagemaker";
    subnet(world, NAME, &[S3, STATES]);
    equipped_in(world, NAME, Some(NAME), &endpoints()).await;
    let run = start(world, NAME, &Notebook::of(&["print('cut off')"])).await;
    run.assert_succeeded(NAME).await;
    world.until_status(NAME, "Stopped").await;
    world.assert_at_rest(NAME, 1).await;
}

/// As in a private VPC: names are resolved, and what is sent is never answered.
const BLACK_HOLE: &str = "
ip link add hole type veth peer name bottom
ip link set hole up; ip link set bottom up
ip address add 198.51.100.2/24 dev hole
ip neighbour add 198.51.100.1 lladdr 02:00:00:00:00:01 dev hole nud permanent
ip route add default via 198.51.100.1
printf '198.51.100.1 pypi.org files.pythonhosted.org\n' >>/etc/hosts
";

async fn without_pypi(world: &LocalAws) {
    const NAME: &str = "boot-no-pypi";
    subnet(world, NAME, &[S3, STATES, SAGEMAKER]);
    // By itself pip gives up after two minutes, and is asked twice.
    let commands = endpoints() + "export PIP_DEFAULT_TIMEOUT=5 PIP_RETRIES=1\n" + BLACK_HOLE;
    world.local().create_instance_in_subnet(NAME, NAME, &commands).await.expect("the instance is created");
    let notebook = Notebook::of(&["print('cut off')"]);
    let run = start(world, NAME, &notebook).await;
    let ended = run.assert_failed(NAME, "Internal").await;
    world.until_status(NAME, "Stopped").await;
    world.assert_at_rest(NAME, 1).await;
    let message: Value = serde_json::from_str(&ended.cause).expect("the cause is JSON");
    let message = message["errorMessage"].as_str().unwrap().to_owned();
    let commands: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    assert_eq!(commands.len(), 2, "make wheelhouse, and aws s3 cp: {message}");
    let _archive = archives::one().await;
    for command in &commands {
        let output = world.type_in(command).await;
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
    start(world, NAME, &notebook).await.assert_succeeded(NAME).await;
    world.until_status(NAME, "Stopped").await;
    world.assert_at_rest(NAME, 2).await;
    let archive = commands[1].split_whitespace().last().unwrap();
    assert!(world.type_in(&format!("aws s3 rm {archive}")).await.status.success());
}
