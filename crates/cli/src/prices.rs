//! What notebook instances cost an hour: the table that the command brings, and the user's own. Never guesses: what no table has, has no price.

use std::{collections::BTreeMap, path::Path};

use chrono::NaiveDate;
use serde::Deserialize;

use crate::{error::CliError, files};

/// Names a file of one's own where no `--prices` does.
const VARIABLE: &str = "REVEILLE_PRICES";

const BUILT_IN: &str = include_str!("prices.json");

/// Prices by region and instance type.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Table {
    /// The day of which the prices are.
    date: NaiveDate,
    /// Where they come from.
    source: String,
    usd_per_hour: BTreeMap<String, BTreeMap<String, f64>>,
}

/// All prices that the command knows.
#[derive(Clone, Debug)]
pub(crate) struct Prices {
    /// The user's own first: what it has takes precedence.
    tables: Vec<Table>,
}

/// A price, and the table that it is from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Price {
    pub(crate) usd_per_hour: f64,
    pub(crate) date: NaiveDate,
    pub(crate) source: String,
}

impl Prices {
    /// The command's own table, after the user's, if there is one.
    ///
    /// # Errors
    /// A file that cannot be read, or holds something else.
    pub(crate) fn of(file: Option<&Path>) -> Result<Self, CliError> {
        let own = file.map(|path| {
            table(&files::text(path)?).map_err(|problem| {
                CliError::Usage(format!("the prices in {} cannot be used: the file {problem}", path.display()))
            })
        });
        let built_in =
            table(BUILT_IN).map_err(|problem| CliError::Usage(format!("the command's prices: {problem}")))?;
        Ok(Self { tables: own.transpose()?.into_iter().chain([built_in]).collect() })
    }

    /// The same with the file that a person named, or else the environment.
    ///
    /// # Errors
    /// As for `of`.
    pub(crate) fn chosen(file: Option<&Path>) -> Result<Self, CliError> {
        let named = std::env::var_os(VARIABLE).filter(|named| !named.is_empty());
        Self::of(file.or_else(|| named.as_deref().map(Path::new)))
    }

    /// What a type costs an hour in a region.
    ///
    /// # Errors
    /// A sentence that says what has no price.
    pub(crate) fn price(&self, kind: &str, region: &str) -> Result<Price, String> {
        let found = self.tables.iter().find_map(|table| {
            let usd_per_hour = *table.usd_per_hour.get(region)?.get(kind)?;
            Some(Price { usd_per_hour, date: table.date, source: table.source.clone() })
        });
        found.ok_or_else(|| format!("no price is known for {kind} in {region}; to give it: --prices FILE"))
    }
}

fn table(text: &str) -> Result<Table, String> {
    let form = "write it as docs/cost.md shows";
    let table: Table =
        serde_json::from_str(text).map_err(|error| format!("is no table of prices ({error}); {form}"))?;
    for (region, prices) in &table.usd_per_hour {
        if let Some((kind, price)) = prices.iter().find(|(_, price)| !price.is_finite() || **price < 0.0) {
            return Err(format!("has {price} for {kind} in {region}, which is no price"));
        }
    }
    Ok(table)
}

/// An amount as people write it: whole cents, and more digits where it has none.
pub(crate) fn amount(usd: f64) -> String {
    if usd >= 0.095 || usd == 0.0 { format!("{usd:.2}") } else { format!("{usd:.4}") }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{Prices, amount};

    const OWN: &str = r#"{"date": "2026-11-01", "source": "our contract",
        "usdPerHour": {"us-east-1": {"ml.t3.medium": 0.04, "ml.p9.large": 12}}}"#;

    fn of(text: &str) -> Result<Prices, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prices.json");
        fs::write(&path, text).unwrap();
        Prices::of(Some(&path)).map_err(|error| error.to_string())
    }

    #[test]
    fn what_no_table_has_has_no_price() {
        let prices = Prices::of(None).unwrap();
        assert_eq!(prices.price("ml.t3.medium", "us-east-1").unwrap().usd_per_hour.to_string(), "0.05");
        for (kind, region) in [("ml.t3.medium", "mars-east-1"), ("ml.p9.large", "us-east-1"), ("", "us-east-1")] {
            let said = prices.price(kind, region).unwrap_err();
            assert!(said.contains(&format!("for {kind} in {region}")) && said.contains("--prices"), "{said}");
        }
    }

    #[test]
    fn a_file_of_ones_own_comes_first_and_keeps_its_date() {
        let prices = of(OWN).unwrap();
        let price = |kind: &str| {
            let price = prices.price(kind, "us-east-1").unwrap();
            (price.usd_per_hour.to_string(), price.date.to_string(), price.source)
        };
        assert_eq!(price("ml.t3.medium"), ("0.04".to_owned(), "2026-11-01".to_owned(), "our contract".to_owned()));
        assert_eq!(price("ml.p9.large").0, "12");
        assert_eq!(price("ml.m5.xlarge").1, "2026-09-24", "the command's own has it");
    }

    #[test]
    fn a_file_that_is_no_table_is_refused_with_its_name() {
        for (text, said) in [
            ("", "is no table of prices"),
            ("{}", "missing field"),
            (&OWN.replace("0.04", "-1"), "-1 for ml.t3.medium in us-east-1"),
            (&OWN.replace("0.04", "\"free\""), "invalid type"),
            (&OWN.replace("usdPerHour", "eurPerHour"), "unknown field"),
            (&OWN.replace("2026-11-01", "yesterday"), "is no table of prices"),
        ] {
            let problem = of(text).unwrap_err();
            assert!(problem.contains(said) && problem.contains("prices.json"), "{text}: {problem}");
        }
        let missing = Prices::of(Some(Path::new("/no/such/file"))).unwrap_err();
        assert_eq!(missing.exit_code(), 2);
        assert!(missing.to_string().contains("/no/such/file"), "{missing}");
    }

    #[test]
    fn amounts_keep_what_matters() {
        for (usd, text) in
            [(0.0, "0.00"), (0.00412, "0.0041"), (0.05, "0.0500"), (0.0951, "0.10"), (1.006, "1.01"), (120.0, "120.00")]
        {
            assert_eq!(amount(usd), text);
        }
    }
}
