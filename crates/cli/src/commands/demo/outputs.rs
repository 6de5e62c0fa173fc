//! Copies what a run left in S3 to a folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use reveille_domain::layout::{AttemptRef, Layout};
use reveille_local::Local;

use crate::error::CliError;

/// Copies everything of an attempt into a folder, which is emptied before; gives the names of the files.
pub(crate) async fn copy(local: &Local, at: &AttemptRef, to: &Path) -> Result<Vec<String>, CliError> {
    let write = |path: &Path| {
        let path: PathBuf = path.to_owned();
        move |source| CliError::Write { path, source }
    };
    if to.exists() {
        fs::remove_dir_all(to).map_err(write(to))?;
    }
    fs::create_dir_all(to).map_err(write(to))?;
    let layout = Layout { bucket: local.bucket().to_owned(), prefix: local.prefix().to_owned() };
    let folder = layout.attempt(at);
    let s3 = &local.clients().s3;
    let listed = s3.list_objects_v2().bucket(local.bucket()).prefix(&folder).send().await;
    let listed = listed.map_err(CliError::aws("list the outputs of the run"))?;
    let mut names = Vec::new();
    for key in listed.contents().iter().filter_map(|object| object.key()) {
        // A name with a slash is none of ours.
        let Some(name) = key.strip_prefix(&folder).filter(|name| !name.is_empty() && !name.contains('/')) else {
            continue;
        };
        let got = s3.get_object().bucket(local.bucket()).key(key).send().await;
        let object = got.map_err(CliError::aws("fetch an output of the run"))?;
        let body = object.body.collect().await.map_err(CliError::aws("fetch an output of the run"))?;
        let path = to.join(name);
        fs::write(&path, body.into_bytes()).map_err(write(&path))?;
        names.push(name.to_owned());
    }
    Ok(names)
}
