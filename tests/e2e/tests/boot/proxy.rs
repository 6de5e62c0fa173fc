//! Instances whose only way out is a proxy that opens TLS, with an authority that nobody else knows. What docs/instance.md says of
//! proxies is what these found.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use reveille_e2e_tests::{LocalAws, Notebook};
use reveille_instance_model::Hook;
use serde_json::json;

use crate::{
    Scenario, archives,
    faults::{equipped_in, rests_without_a_runner},
    network::{self, S3, SAGEMAKER},
    printed, start,
};

pub(crate) const ALL: &[Scenario] = &[
    ("proxy::all_that_is_needed_comes_through_a_proxy_with_an_authority_of_its_own", |h, w| h.block_on(through(w))),
    ("proxy::an_authority_that_only_the_system_knows_is_told", |h, w| h.block_on(of_the_system(w))),
    ("proxy::an_authority_that_only_root_may_read_is_told", |h, w| h.block_on(unreadable(w))),
];

/// Where the machine sees the proxy.
const PORT: u16 = 3128;
const AUTHORITY: &str = "authority.pem";
/// The names that docs/instance.md lists, and no other: whatever asks another one finds a wrong certificate.
const NAMES: [&str; 5] = [
    "*.s3.us-east-1.amazonaws.com",
    "states.us-east-1.amazonaws.com",
    "api.sagemaker.us-east-1.amazonaws.com",
    "pypi.org",
    "files.pythonhosted.org",
];

/// A proxy, and the folder of its files.
struct Proxy {
    process: Child,
    folder: PathBuf,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It is this process's own child; there is nothing to do about one that cannot be ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The authority's certificate, and the proxy's with its key.
fn certificates() -> (String, String, String) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority.distinguished_name.push(DnType::CommonName, "A company's own authority");
    let key = KeyPair::generate().unwrap();
    let pem = authority.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(authority, key);
    let mut leaf = CertificateParams::new(NAMES.map(str::to_owned)).unwrap();
    leaf.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().unwrap();
    (pem, leaf.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
}

impl Proxy {
    /// Starts it, as the only way out of the instance's subnet.
    fn of(world: &LocalAws, instance: &str) -> Self {
        let folder = world.local().notebooks(instance).with_extension("proxy");
        fs::create_dir_all(&folder).unwrap();
        let (authority, certificate, key) = certificates();
        for (file, content) in [(AUTHORITY, authority), ("certificate.pem", certificate), ("key.pem", key)] {
            fs::write(folder.join(file), content).unwrap();
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/boot/proxy.py");
        let mut process = Command::new(world.local().project().tools().join("python"))
            .arg(script)
            .args([S3, SAGEMAKER].map(|endpoint| network::behind(world, endpoint).to_string()))
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .stderr(File::create(folder.join("errors")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("{:?}", fs::read_to_string(folder.join("errors"))));
        network::subnet_with(world, instance, &[(PORT, port)]);
        Self { process, folder }
    }

    /// Puts its authority where a person would: into the notebook folder.
    fn give_authority(&self, world: &LocalAws, instance: &str) {
        let folder = world.local().notebooks(instance);
        fs::create_dir_all(&folder).unwrap();
        fs::copy(self.folder.join(AUTHORITY), folder.join(AUTHORITY)).unwrap();
    }

    /// What it was asked for, and what went wrong.
    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap()
    }
}

/// The names that AWS's services have, by a proxy; on a machine of the local AWS there are others.
fn settings() -> String {
    let proxy = format!("http://127.0.0.1:{PORT}");
    format!("for name in ${{!AWS_ENDPOINT_URL*}}; do unset \"$name\"; done\nHTTPS_PROXY={proxy}\n")
}

fn on_start_log(world: &LocalAws, instance: &str) -> String {
    fs::read_to_string(world.local().service().log_file(instance, Hook::OnStart)).unwrap()
}

async fn through(world: &LocalAws) {
    const NAME: &str = "boot-proxy";
    let proxy = Proxy::of(world, NAME);
    let authority = format!("/home/ec2-user/SageMaker/{AUTHORITY}");
    let commands = settings() + &format!("AWS_CA_BUNDLE={authority}\n");
    world.local().create_instance_in_subnet(NAME, NAME, &commands).await.expect("the instance is created");
    proxy.give_authority(world, NAME);
    let notebook =
        "import json, os\nprint(json.dumps([os.environ.get('HTTPS_PROXY'), os.environ.get('AWS_CA_BUNDLE')]))";
    let _index = archives::none().await;
    let run = start(world, NAME, &Notebook::of(&[notebook])).await;
    run.assert_succeeded(NAME).await;
    world.until_status(NAME, "Stopped").await;
    world.assert_at_rest(NAME, 1).await;
    let of_the_proxy = format!("http://127.0.0.1:{PORT}");
    assert_eq!(printed(&run, NAME).await, json!([of_the_proxy, authority]), "notebooks have them from the runner");
    let log = proxy.log();
    let bucket = format!("{}.s3.us-east-1.amazonaws.com", world.local().bucket());
    let needed = [&[bucket.as_str()][..], &NAMES[1..]].concat();
    let asked: BTreeSet<&str> = log.lines().filter(|line| !line.starts_with('!')).collect();
    assert_eq!(asked, needed.into_iter().collect(), "what docs/instance.md lists, and nothing else: {log}");
}

/// The system's own bundle is for programs that read it. The aws command and the runner read `AWS_CA_BUNDLE`.
async fn of_the_system(world: &LocalAws) {
    const NAME: &str = "boot-authority";
    let proxy = Proxy::of(world, NAME);
    let add = format!("cat /home/ec2-user/SageMaker/{AUTHORITY} >>/etc/ssl/certs/ca-certificates.crt\n");
    equipped_in(world, NAME, Some(NAME), &(settings() + &add)).await;
    proxy.give_authority(world, NAME);
    let parts = ["certificate verify failed", "THE RUNNER IS NOT STARTED", "AWS_CA_BUNDLE if the proxy opens TLS"];
    told(world, NAME, &parts).await;
}

/// The script is root, and the runner is not.
async fn unreadable(world: &LocalAws) {
    const NAME: &str = "boot-of-root";
    let proxy = Proxy::of(world, NAME);
    let take = format!("mv /home/ec2-user/SageMaker/{AUTHORITY} /root/; AWS_CA_BUNDLE=/root/{AUTHORITY}\n");
    equipped_in(world, NAME, Some(NAME), &(settings() + &take)).await;
    proxy.give_authority(world, NAME);
    told(world, NAME, &["AWS_CA_BUNDLE names /root/authority.pem, which cannot be read"]).await;
}

/// No notebook starts, and the on-start script's log says why.
async fn told(world: &LocalAws, name: &str, parts: &[&str]) {
    let run = start(world, name, &Notebook::of(&["open('ran', 'w')"])).await;
    let ended = run.assert_failed(name, "RunnerSilent").await;
    assert!(ended.cause.contains(&format!("{name}/LifecycleConfigOnStart")), "{}", ended.cause);
    let log = on_start_log(world, name);
    for part in parts {
        assert!(log.contains(part), "{part}: {log}");
    }
    assert!(!world.local().notebooks(name).join("ran").exists(), "no notebook started");
    rests_without_a_runner(world, name).await;
}
