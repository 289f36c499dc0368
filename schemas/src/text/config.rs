//! Configuration files of the server and the agent: HCL, YAML or JSON, straight into a type.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::diagnostic::{Diagnostic, part};
use super::node::{Node, NodeValue};
use super::options::{Format, Options};
use super::schema::{Foreign, Schema};
use super::shape::{Around, Shaper};
use super::source::Source;
use super::{decode, fit, hcl, json, yaml};

/// Reads a file of one type. Unknown keys are errors that name the nearest known one.
///
/// In HCL, names are in snake case, structs are blocks, lists of structs are repeated blocks and maps may be
/// blocks; the names of the type in YAML and JSON are those that serde gives them. `foreign` is what to say about
/// keys that another program's file has.
pub fn config<T: DeserializeOwned + JsonSchema>(
    source: &Source,
    options: &Options,
    foreign: Foreign,
) -> Result<(T, Vec<Diagnostic>), Vec<Diagnostic>> {
    let schema = Schema::of::<T>().with_foreign(foreign);
    let format = options.format.unwrap_or_else(|| Format::of(source));
    let (node, said) = match format {
        Format::Hcl => {
            let document = hcl::parse(source, options, hcl::Unbound::Refuse).map_err(|error| vec![error])?;
            let mut shaper = Shaper::new(source, &schema, None);
            let place = Around::new(source.name(), &schema.root, "");
            let entries = shaper.structure(place, &document.body);
            let node = Node::new(NodeValue::Object(entries), 0..source.text().len());
            (node, [document.said, shaper.said].concat())
        }
        Format::Yaml => {
            let node = yaml::parse(source)?.into_iter().next();
            let node = node.unwrap_or_else(|| Node::new(NodeValue::Object(Vec::new()), 0..0));
            let misfits = fit::check(source, &schema, &node, (source.name(), ""));
            (node, misfits.said)
        }
        Format::Json => {
            let node = json::parse(source)?;
            let misfits = fit::check(source, &schema, &node, (source.name(), ""));
            (node, misfits.said)
        }
    };
    let (errors, warnings) = part(said);
    if !errors.is_empty() {
        return Err(errors);
    }
    let decoded = decode::decode(source, &node.to_json(), &node.places(), "");
    match decoded.value {
        Some(value) if decoded.errors.is_empty() => Ok((value, warnings)),
        Some(_) | None => Err(decoded.errors),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::text::render;

    #[derive(Debug, Default, Deserialize, JsonSchema, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Agent {
        bind_addr: String,
        meta: BTreeMap<String, String>,
        server: Server,
        host_volume: Vec<HostVolume>,
    }

    #[derive(Debug, Default, Deserialize, JsonSchema, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Server {
        enabled: bool,
        port: u16,
    }

    #[derive(Debug, Default, Deserialize, JsonSchema, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct HostVolume {
        name: String,
        path: String,
    }

    fn read(name: &str, text: &str) -> String {
        let source = Source::new(name, text);
        match config::<Agent>(&source, &Options::default(), &[("Agent", "plugin", "drivers are built in")]) {
            Ok((agent, _)) => format!("{agent:?}"),
            Err(errors) => render(&errors, &source),
        }
    }

    #[test]
    fn hcl_and_yaml_give_the_same() {
        let hcl = "bind_addr = \"::\"\nmeta { rack = 4 }\nserver {\n  enabled = true\n  port = 80\n}\n\
                   host_volume {\n  name = \"a\"\n  path = \"/a\"\n}\n";
        let yaml = "bind_addr: '::'\nmeta: {rack: '4'}\nserver: {enabled: true, port: 80}\nhost_volume: [{name: a, path: /a}]\n";
        assert_eq!(read("a.hcl", hcl), read("a.yaml", yaml));
        assert!(read("a.hcl", hcl).contains("port: 80"));
    }

    #[test]
    fn unknown_keys_and_wrong_kinds_are_named_with_their_lines() {
        let hcl = "bind_adr = \"x\"\nserver {\n  enabled = \"maybe\"\n  prot = 1\n}\n";
        insta::assert_snapshot!(read("agent.hcl", hcl), @r#"
        error: unknown key `bind_adr` in `agent.hcl`
          --> agent.hcl:1:1
          |
        1 | bind_adr = "x"
          | ^^^^^^^^
          allowed: bind_addr, meta, server, host_volume
          help: did you mean `bind_addr`?

        error: `enabled` must be true or false, not a string
          --> agent.hcl:3:13
          |
        3 |   enabled = "maybe"
          |             ^^^^^^^

        error: unknown key `prot` in `server`
          --> agent.hcl:4:3
          |
        4 |   prot = 1
          |   ^^^^
          allowed: enabled, port
          help: did you mean `port`?
        "#);
        let foreign = "bind_addr = \"x\"\nplugin \"docker\" {\n}\n";
        insta::assert_snapshot!(read("agent.hcl", foreign), @r#"
        error: unknown block `plugin` in `agent.hcl`
          --> agent.hcl:2:1
          |
        2 | plugin "docker" {
          | ^^^^^^
          allowed: bind_addr, meta, server, host_volume
          help: drivers are built in
        "#);
        insta::assert_snapshot!(read("agent.yaml", "plugin: {docker: {}}\n"), @r"
        error: unknown key `plugin` in `agent.yaml`
          --> agent.yaml:1:1
          |
        1 | plugin: {docker: {}}
          | ^^^^^^
          allowed: bind_addr, meta, server, host_volume
          help: drivers are built in
        ");
        let yaml = "server:\n  enabled: yes\n  port: 70000\n";
        insta::assert_snapshot!(read("agent.yaml", yaml), @"
        error: `enabled` must be true or false, not a string
          --> agent.yaml:2:12
          |
        2 |   enabled: yes
          |            ^^^
          help: write `true`
        ");
        insta::assert_snapshot!(read("agent.yaml", "server: {port: 70000}\n"), @"
        error: `port` must be a whole number that is not negative and not too large, not 70000
          --> agent.yaml:1:16
          |
        1 | server: {port: 70000}
          |                ^^^^^
        ");
    }
}
