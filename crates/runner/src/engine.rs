//! The Python with papermill: found or made once, with the archive of wheels in the runs bucket where there is one.

use std::path::Path;

use reveille_aws::{Aws, Downloaded};
use reveille_notebook::{Engine, EngineError, Supplies};
use tokio::sync::OnceCell;

/// Gives the engine, which is found by the first who asks. After a failure the next one tries again.
///
/// # Errors
/// There is none, and none could be made.
pub async fn find<'a>(engine: &'a OnceCell<Engine>, aws: &Aws, root: &Path) -> Result<&'a Engine, EngineError> {
    let bucket = Bucket(aws);
    engine.get_or_try_init(|| Engine::discover(root, &bucket)).await
}

/// The runs bucket, as a place for archives of wheels.
struct Bucket<'a>(&'a Aws);

impl Supplies for Bucket<'_> {
    fn place(&self, name: &str) -> String {
        self.0.layout().uri(&self.0.layout().artifact(name))
    }

    async fn fetch(&self, name: &str, to: &Path, max_bytes: u64) -> Result<bool, String> {
        let layout = self.0.layout();
        let place = self.place(name);
        match self.0.download(&layout.bucket, &layout.artifact(name), to, max_bytes).await {
            Ok(Downloaded::Done) => Ok(true),
            Ok(Downloaded::Missing) => Ok(false),
            Ok(Downloaded::NoBucket) => Err(format!("there is no bucket {}", layout.bucket)),
            Ok(Downloaded::OtherRegion) => Err(format!("the bucket of {place} is in another region")),
            Ok(Downloaded::Archived) => Err(format!("{place} is archived, and must be restored first")),
            Ok(Downloaded::TooLarge) => Err(format!("{place} is larger than {max_bytes} bytes")),
            Err(error) => Err(error.to_string()),
        }
    }

    fn log(&self, line: &str) {
        crate::log::log(line);
    }
}
