//! The bill of materials, as CycloneDX 1.6: the crates that the released programs are linked from, and the wheels of the engine's archive.
//! Without serial number and time, which would differ each time.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::Path,
    process::Command,
};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::ReleaseError;

/// The crates whose programs are released.
const PROGRAMS: [&str; 3] = ["reveille-functions", "reveille-runner", "reveille-cli"];
/// What is linked differs a little between processors; the bill names what is linked on the one that instances have.
const TARGET: &str = "x86_64-unknown-linux-gnu";

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

/// What it is needed for: nothing said means "to be linked".
#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

/// A file of the engine's archive.
pub(crate) struct Wheel {
    pub(crate) name: String,
    pub(crate) sha256: String,
}

/// The bill of this checkout.
pub(crate) fn bill(root: &Path, version: &str, wheels: &[Wheel]) -> Result<Value, ReleaseError> {
    let lock = root.join("Cargo.lock");
    let lock = fs::read_to_string(&lock).map_err(ReleaseError::file("read", &lock))?;
    let metadata = metadata(root)?;
    let checksums = checksums(&lock);
    let packages: BTreeMap<&str, &Package> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let nodes: BTreeMap<&str, &Node> = metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let (mut components, mut dependencies) = (Vec::new(), Vec::new());
    for id in linked(&packages, &nodes)? {
        let package = packages[id];
        components.push(crate_component(package, &checksums));
        let needs: BTreeSet<String> = needs(nodes[id]).map(|needed| reference(packages[needed])).collect();
        dependencies.push(json!({"ref": reference(package), "dependsOn": needs}));
    }
    components.extend(wheels.iter().map(wheel_component));
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": "reveille", "name": "reveille", "version": version}},
        "components": components,
        "dependencies": dependencies,
    }))
}

fn metadata(root: &Path) -> Result<Metadata, ReleaseError> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", TARGET]);
    let output = command.current_dir(root).output().map_err(|error| ReleaseError::Cargo(error.to_string()))?;
    if !output.status.success() {
        return Err(ReleaseError::Cargo(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| ReleaseError::Cargo(error.to_string()))
}

/// The packages that are linked, or run while something is compiled that is linked; not those of build scripts and tests.
fn linked<'a>(
    packages: &BTreeMap<&'a str, &'a Package>,
    nodes: &BTreeMap<&'a str, &'a Node>,
) -> Result<BTreeSet<&'a str>, ReleaseError> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = packages
        .values()
        .filter(|package| PROGRAMS.contains(&package.name.as_str()) && package.source.is_none())
        .map(|package| package.id.as_str())
        .collect();
    if open.len() != PROGRAMS.len() {
        return Err(ReleaseError::Cargo(format!("the workspace lacks one of {}", PROGRAMS.join(", "))));
    }
    while let Some(id) = open.pop() {
        if found.insert(id) {
            open.extend(nodes.get(id).into_iter().flat_map(|node| needs(node)));
        }
    }
    Ok(found)
}

fn needs(node: &Node) -> impl Iterator<Item = &str> {
    let linked = |dependency: &&Dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none());
    node.deps.iter().filter(linked).map(|dependency| dependency.pkg.as_str())
}

fn reference(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

fn crate_component(package: &Package, checksums: &BTreeMap<(&str, &str), &str>) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": reference(package),
        "name": package.name,
        "version": package.version,
        "purl": reference(package),
    });
    if let Some(checksum) = checksums.get(&(package.name.as_str(), package.version.as_str())) {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    if let Some(license) = &package.license {
        // Old packages separate with a slash, which is no SPDX expression.
        component["licenses"] = json!([{"expression": license.replace('/', " OR ")}]);
    }
    component
}

/// `papermill-2.7.0-py3-none-any.whl`: the wheel format's own naming.
fn wheel_component(wheel: &Wheel) -> Value {
    let mut parts = wheel.name.split('-');
    let (name, version) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let name = name.replace('_', "-").to_lowercase();
    let purl = format!("pkg:pypi/{name}@{version}");
    json!({
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "hashes": [{"alg": "SHA-256", "content": wheel.sha256}],
    })
}

/// What Cargo.lock says that each package's archive is.
fn checksums(lock: &str) -> BTreeMap<(&str, &str), &str> {
    let packages = lock.split("[[package]]").skip(1);
    packages
        .filter_map(|package| {
            let field = |name| field(package, name);
            Some(((field("name")?, field("version")?), field("checksum")?))
        })
        .collect()
}

/// What stands in the quotes of a package's field.
fn field<'a>(package: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = package.split_once(&format!("\n{name} = \""))?;
    rest.split_once('"').map(|(value, _)| value)
}
