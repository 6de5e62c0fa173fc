//! Writes the pages that are made of the templates and the code anew: `make pages`.

use reveille_contract_tests::{grants, iam, mails, root};

fn main() -> std::io::Result<()> {
    std::fs::write(root().join(iam::PAGE), iam::page())?;
    std::fs::write(root().join(grants::FILE), grants::file())?;
    std::fs::write(root().join(mails::PAGE), mails::page())
}
