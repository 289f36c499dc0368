//! What a job asks of the nodes it runs on: constraints (must), affinities (prefer) and spreads (distribute).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A condition that a node must meet; a node that does not is never chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Constraint {
    /// What is compared, usually a node attribute such as `${attr.kernel.name}` or `${meta.rack}`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub attribute: String,
    /// How `attribute` is compared with `value`. Default: `=`.
    pub operator: Operator,
    /// What `attribute` is compared with. For `distinct_property`: how many allocations may share one value, default 1.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
}

/// How a constraint or affinity compares its attribute with its value.
///
/// The six orderings compare as integers, else as decimals, else as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Operator {
    /// Equal.
    #[default]
    #[serde(rename = "=", alias = "==", alias = "is")]
    Equal,
    /// Not equal; a missing attribute is not equal to anything.
    #[serde(rename = "!=", alias = "not")]
    NotEqual,
    /// Greater.
    #[serde(rename = ">")]
    Greater,
    /// Greater or equal.
    #[serde(rename = ">=")]
    GreaterOrEqual,
    /// Less.
    #[serde(rename = "<")]
    Less,
    /// Less or equal.
    #[serde(rename = "<=")]
    LessOrEqual,
    /// Matches a regular expression anywhere in the attribute.
    #[serde(rename = "regexp")]
    Regexp,
    /// Meets a list of version constraints such as `>= 1.2, < 2.0`; pre-releases sort loosely.
    #[serde(rename = "version")]
    Version,
    /// Meets a list of constraints with the strict ordering of Semantic Versioning 2.0.
    #[serde(rename = "semver")]
    Semver,
    /// The comma separated attribute holds every item of the comma separated value.
    #[serde(rename = "set_contains", alias = "set_contains_all")]
    SetContains,
    /// The comma separated attribute holds at least one item of the comma separated value.
    #[serde(rename = "set_contains_any")]
    SetContainsAny,
    /// The attribute exists.
    #[serde(rename = "is_set")]
    IsSet,
    /// The attribute does not exist.
    #[serde(rename = "is_not_set")]
    IsNotSet,
    /// No two allocations share a node (of the job, or of the group when written there).
    #[serde(rename = "distinct_hosts")]
    DistinctHosts,
    /// At most `value` allocations share one value of the attribute.
    #[serde(rename = "distinct_property")]
    DistinctProperty,
}

impl Operator {
    /// The canonical spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Operator::Equal => "=",
            Operator::NotEqual => "!=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Regexp => "regexp",
            Operator::Version => "version",
            Operator::Semver => "semver",
            Operator::SetContains => "set_contains",
            Operator::SetContainsAny => "set_contains_any",
            Operator::IsSet => "is_set",
            Operator::IsNotSet => "is_not_set",
            Operator::DistinctHosts => "distinct_hosts",
            Operator::DistinctProperty => "distinct_property",
        }
    }

    /// Whether the operator counts allocations instead of looking at one node alone.
    pub const fn is_distinct(self) -> bool {
        matches!(self, Operator::DistinctHosts | Operator::DistinctProperty)
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [self.attribute.as_str(), self.operator.as_str(), self.value.as_str()];
        let words: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        f.write_str(&words.join(" "))
    }
}

/// A preference for nodes that meet a condition, or against them when the weight is negative.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Affinity {
    /// What is compared, usually a node attribute such as `${node.datacenter}`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub attribute: String,
    /// How `attribute` is compared with `value`. Default: `=`.
    pub operator: Operator,
    /// What `attribute` is compared with.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// How strong the preference is, -100 to 100 and not 0; negative avoids such nodes. Default: 50.
    pub weight: i32,
}

impl Default for Affinity {
    fn default() -> Self {
        Affinity { attribute: String::new(), operator: Operator::Equal, value: String::new(), weight: 50 }
    }
}

/// A wish to distribute allocations over the values of a node attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Spread {
    /// The node attribute whose values are filled, such as `${node.datacenter}`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub attribute: String,
    /// How much this spread counts against other spreads, 1 to 100. Default: 50.
    pub weight: u32,
    /// The share of each value; what is left over goes to all other values. Empty: an even spread.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<SpreadTarget>,
}

impl Default for Spread {
    fn default() -> Self {
        Spread { attribute: String::new(), weight: 50, targets: Vec::new() }
    }
}

/// The share of the allocations that one attribute value should carry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct SpreadTarget {
    /// The attribute value.
    pub value: String,
    /// Its share in percent; all shares of a spread together are at most 100.
    pub percent: u32,
}
