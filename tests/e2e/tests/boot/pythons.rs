//! Instances with other Pythons than their root's: those that pyenv has on this machine, copied into theirs. Where there are
//! none, these say so.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use reveille_e2e_tests::{LocalAws, Notebook};
use serde_json::json;

use crate::{
    Scenario, archives,
    faults::{RUNNER_LOG_KEPT, runner_log},
    printed, start,
};

pub(crate) const ALL: &[Scenario] = &[
    ("pythons::beside_a_3_9_of_the_system_condas_3_10_is_taken", |h, w| h.block_on(beside_too_old(w))),
    ("pythons::where_there_is_3_9_alone_the_run_says_what_is_needed", |h, w| h.block_on(too_old(w))),
    ("pythons::condas_3_12_comes_before_the_systems", |h, w| h.block_on(before_the_systems(w, "3.12", "python3"))),
    ("pythons::a_3_13_of_jupyters_own_environment_comes_before_the_systems", |h, w| {
        h.block_on(before_the_systems(w, "3.13", "JupyterSystemEnv"));
    }),
];

/// The folder of a Python of this version, if pyenv has one.
fn of_pyenv(version: &str) -> Option<PathBuf> {
    let home = || Some(Path::new(&env::var_os("HOME")?).join(".pyenv"));
    let versions = env::var_os("PYENV_ROOT").map(PathBuf::from).or_else(home)?.join("versions");
    let found = fs::read_dir(versions).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found = found.filter(|folder| folder.join(format!("bin/python{version}")).is_file());
    let python =
        found.find(|folder| folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(version)));
    if python.is_none() {
        eprintln!("skipped: pyenv has no Python {version} here");
    }
    python
}

/// Puts a Python into the notebook folder, where the machine finds it. What was installed into it stays behind.
fn install(world: &LocalAws, instance: &str, version: &str, from: &Path) {
    let into = world.local().notebooks(instance).join(version);
    let excluded = ["site-packages", "test", "__pycache__", "libpython*.a"].map(|name| format!("--exclude={name}"));
    fs::create_dir_all(&into).unwrap();
    let copy = "tar -C \"$0\" -c \"${@:2}\" bin include lib | tar -C \"$1\" -x --no-same-owner && \
                for lib in \"$1\"/lib/python3.*[0-9]; do mkdir \"$lib/site-packages\" || exit 1; done";
    let status = Command::new("bash").args(["-c", copy]).arg(from).arg(&into).args(excluded).status().unwrap();
    assert!(status.success());
}

const HERE: &str = "/home/ec2-user/SageMaker";

/// Lets the linker find the library of such a Python, which names the place where it was built. Its own pip trusts what it brought
/// along, unlike Debian's: it is told to trust whom the host trusts.
fn found(version: &str) -> String {
    format!(
        "echo {HERE}/{version}/lib >>/etc/ld.so.conf.d/pythons.conf; ldconfig\nPIP_CERT=/etc/ssl/certs/ca-certificates.crt\n"
    )
}

/// Makes a Python the system's, and the only one. The aws command goes on with the one that it was made with.
fn of_the_system(version: &str) -> String {
    let kept = "real=$(readlink -f /usr/bin/python3); mv \"$real\" /opt/; ln -sfn \"/opt/${real##*/}\" /opt/aws-cli/bin/python3";
    format!("{kept}\nln -sf {HERE}/{version}/bin/python{version} /usr/bin/python3\n")
}

/// Makes a Python that of a conda environment, and the only one of conda's. All of it is there, as conda lays it: a link to an
/// interpreter elsewhere finds its library from Python 3.11 on, and an environment that is made with it does not.
fn of_conda(version: &str, environment: &str) -> String {
    let envs = "/home/ec2-user/anaconda3/envs";
    format!(
        "rm -rf {envs}; mkdir -p {envs}/{environment}; mount --bind {HERE}/{version} {envs}/{environment}\n\
         chown -R ec2-user:ec2-user {envs}\n"
    )
}

const WHICH: &str = "import json, sys\nprint(json.dumps(list(sys.version_info[:2])))";

async fn beside_too_old(world: &LocalAws) {
    const NAME: &str = "boot-al2023";
    let (Some(old), Some(new)) = (of_pyenv("3.9"), of_pyenv("3.10")) else { return };
    // Nothing but these two, as on a notebook instance.
    let commands =
        [RUNNER_LOG_KEPT, &found("3.9"), &found("3.10"), &of_the_system("3.9"), &of_conda("3.10", "python3")].concat();
    world.local().create_instance_with_commands(NAME, &commands).await.unwrap();
    install(world, NAME, "3.9", &old);
    install(world, NAME, "3.10", &new);
    let _index = archives::none().await;
    let run = start(world, NAME, &Notebook::of(&[WHICH])).await;
    run.assert_succeeded(NAME).await;
    assert_eq!(printed(&run, NAME).await, json!([3, 10]));
    let log = runner_log(world, NAME);
    assert!(log.contains("/usr/bin/python3 is Python 3.9") && log.contains("3.10 or newer is needed"), "{log}");
    assert!(log.contains("anaconda3/envs/python3/bin/python (Python 3.10"), "{log}");
    world.until_status(NAME, "Stopped").await;
    world.assert_at_rest(NAME, 1).await;
}

async fn too_old(world: &LocalAws) {
    const NAME: &str = "boot-39";
    let Some(old) = of_pyenv("3.9") else { return };
    let commands = found("3.9") + &of_the_system("3.9") + "rm -rf /home/ec2-user/anaconda3\n";
    world.local().create_instance_with_commands(NAME, &commands).await.unwrap();
    install(world, NAME, "3.9", &old);
    let run = start(world, NAME, &Notebook::of(&[WHICH])).await;
    let cause = run.assert_failed(NAME, "Internal").await.cause;
    assert!(cause.contains("is Python 3.9") && cause.contains("3.10 or newer is needed"), "{cause}");
    world.until_status(NAME, "Stopped").await;
    world.assert_at_rest(NAME, 1).await;
}

/// The engine is made with conda's Python where there is one.
async fn before_the_systems(world: &LocalAws, version: &str, environment: &str) {
    let Some(python) = of_pyenv(version) else { return };
    let name = format!("boot-{}", version.replace('.', ""));
    let commands = [RUNNER_LOG_KEPT, &found(version), &of_conda(version, environment)].concat();
    world.local().create_instance_with_commands(&name, &commands).await.unwrap();
    install(world, &name, version, &python);
    let _index = archives::none().await;
    let run = start(world, &name, &Notebook::of(&[WHICH])).await;
    run.assert_succeeded(&name).await;
    let log = runner_log(world, &name);
    assert!(log.contains(&format!("anaconda3/envs/{environment}/bin/python (Python {version}")), "{log}");
    assert!(log.contains("/usr/bin/python3 is Python 3."), "there was another one: {log}");
    let (major, minor) = version.split_once('.').unwrap();
    assert_eq!(printed(&run, &name).await, json!([major.parse::<u32>().unwrap(), minor.parse::<u32>().unwrap()]));
    world.until_status(&name, "Stopped").await;
    world.assert_at_rest(&name, 1).await;
}
