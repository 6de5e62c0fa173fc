//! Instances with another Python than their root's: one that pyenv has on this machine, copied into theirs. Where there is
//! none, this says so.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use reveille_e2e_tests::{Notebook, World};

use crate::{Scenario, start};

pub(crate) const ALL: &[Scenario] =
    &[("pythons::where_there_is_3_9_alone_the_run_says_what_is_needed", |h, w| h.block_on(too_old(w)))];

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
fn install(world: &World, instance: &str, version: &str, from: &Path) {
    let into = world.local().notebooks(instance).join(version);
    let excluded = ["site-packages", "test", "__pycache__", "libpython*.a"].map(|name| format!("--exclude={name}"));
    fs::create_dir_all(&into).unwrap();
    let copy = "tar -C \"$0\" -c \"${@:2}\" bin include lib | tar -C \"$1\" -x --no-same-owner && \
                for lib in \"$1\"/lib/python3.*[0-9]; do mkdir \"$lib/site-packages\" || exit 1; done";
    let status = Command::new("bash").args(["-c", copy]).arg(from).arg(&into).args(excluded).status().unwrap();
    assert!(status.success());
}

const HERE: &str = "/home/ec2-user/SageMaker";

/// Lets the linker find the library of such a Python, which names the place where it was built.
fn found(version: &str) -> String {
    format!("echo {HERE}/{version}/lib >>/etc/ld.so.conf.d/pythons.conf; ldconfig\n")
}

/// Makes a Python the system's, and the only one. The aws command goes on with the one that it was made with.
fn of_the_system(version: &str) -> String {
    let kept = "real=$(readlink -f /usr/bin/python3); mv \"$real\" /opt/; ln -sfn \"/opt/${real##*/}\" /opt/aws-cli/bin/python3";
    format!("{kept}\nln -sf {HERE}/{version}/bin/python{version} /usr/bin/python3\n")
}

async fn too_old(world: &World) {
    const NAME: &str = "boot-39";
    let Some(old) = of_pyenv("3.9") else { return };
    let commands = found("3.9") + &of_the_system("3.9") + "rm -rf /home/ec2-user/anaconda3\n";
    world.local().create_instance_with_commands(NAME, &commands).await.unwrap();
    install(world, NAME, "3.9", &old);
    let run = start(world, NAME, &Notebook::of(&["print(1)"])).await;
    let cause = run.assert_failed(NAME, "Internal").await.cause;
    assert!(cause.contains("is Python 3.9") && cause.contains("3.10 or newer is needed"), "{cause}");
    world.until_status(NAME, "Stopped").await;
    world.assert_at_rest(NAME, 1).await;
}
