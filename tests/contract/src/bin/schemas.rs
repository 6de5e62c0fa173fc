//! Writes the JSON Schemas anew: `make schemas`.

use reveille_contract_tests::{root, schemas};

fn main() -> std::io::Result<()> {
    let folder = root().join(schemas::FOLDER);
    std::fs::create_dir_all(&folder)?;
    for (name, schema) in schemas::all() {
        std::fs::write(folder.join(name), schemas::text(schema))?;
    }
    Ok(())
}
