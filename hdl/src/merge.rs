//! Makes the emitted Verilog readable and small: modules equal but for their name become one module,
//! and clocks are wired instead of assigned.
//!
//! RustHDL gives every instance a module of its own, named by its path (`top$parser$stage`). The pass
//! goes from the leaves up: two modules are equal when their text is, after the modules of their
//! instances have been merged. A module that stays alone is named by its path below the top
//! (`parser_stage`); one that stands for several by what it is (`dff_32`) or by its instances' usual name.
//!
//! RustHDL also passes the clock through the kernel (`stage$clock = clock;` in an `always @(*)`), which
//! makes a simulator run the whole kernel at both clock edges. Such an assignment becomes a connection.

use std::collections::{BTreeMap, HashMap, HashSet};

/// Name of the top module, before and after the pass.
pub const TOP: &str = "top";

/// What a text has that the pass does not understand.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// A line that belongs to no module.
    #[error("line {0} of the emitted Verilog stands outside a module: {1}")]
    Outside(usize, String),
    /// A module without its end.
    #[error("module {0} of the emitted Verilog has no end")]
    Unended(String),
    /// Two modules of one name.
    #[error("module {0} stands twice in the emitted Verilog")]
    Twice(String),
    /// No module named [`TOP`].
    #[error("the emitted Verilog has no module {TOP}")]
    NoTop,
}

/// A module of the text.
struct Module {
    /// Path of the instance, joined by `$`.
    path: String,
    /// The port list, from the parenthesis to the semicolon.
    ports: String,
    /// Lines between the head and `endmodule`.
    body: Vec<String>,
}

/// Merges the modules of `verilog`, which RustHDL emitted. The same text gives the same answer.
///
/// # Errors
/// When the text is not what RustHDL emits.
pub fn merge(verilog: &str) -> Result<String, MergeError> {
    let mut modules = split(verilog)?;
    if !modules.contains_key(TOP) {
        return Err(MergeError::NoTop);
    }
    for module in modules.values_mut() {
        wire_clocks(&mut module.body);
    }
    let classes = classes(&modules);
    let names = names(&modules, &classes);
    let mut text = String::new();
    for path in &classes.order {
        let module = &modules[path];
        let body = instances_renamed(module, &modules, |kind| &names[&classes.of[kind]]);
        let name = &names[&classes.of[path]];
        text.push_str(&format!("module {name}{}\n{body}endmodule\n\n", module.ports));
    }
    Ok(text)
}

/// Instances in a module of a merged text: the module and how many there are of it, in order of
/// their names.
pub fn instances(verilog: &str, name: &str) -> Result<BTreeMap<String, usize>, MergeError> {
    let modules = split(verilog)?;
    let mut counts = BTreeMap::new();
    for line in modules.get(name).map_or(&[][..], |module| &module.body) {
        if let Some((kind, _)) = instance(line, &modules) {
            *counts.entry(kind.to_owned()).or_default() += 1;
        }
    }
    Ok(counts)
}

/// The part of a merged text that the module `name` needs, itself last; where `is_alone`, its children
/// are empty modules that synthesis leaves as they are.
pub fn part(verilog: &str, name: &str, is_alone: bool) -> Result<String, MergeError> {
    let modules = split(verilog)?;
    let (mut wanted, mut open) = (Vec::new(), vec![name]);
    while let Some(next) = open.pop() {
        if wanted.contains(&next) {
            continue;
        }
        wanted.push(next);
        if !is_alone || next == name {
            let body = modules.get(next).map_or(&[][..], |module| &module.body);
            open.extend(body.iter().filter_map(|line| Some(instance(line, &modules)?.0)));
        }
    }
    let mut text = String::new();
    for (kind, module) in modules.iter().filter(|(kind, _)| wanted.contains(&kind.as_str())) {
        let is_empty = is_alone && kind != name;
        let is_port =
            |line: &&String| ["input ", "output "].iter().any(|start| line.trim().starts_with(start));
        let body: Vec<&str> =
            module.body.iter().filter(|line| !is_empty || is_port(line)).map(String::as_str).collect();
        let mark = if is_empty { "(* blackbox *)\n" } else { "" };
        text.push_str(&format!("{mark}module {kind}{}\n{}\nendmodule\n\n", module.ports, body.join("\n")));
    }
    Ok(text)
}

fn split(verilog: &str) -> Result<BTreeMap<String, Module>, MergeError> {
    let mut modules = BTreeMap::new();
    let mut open: Option<Module> = None;
    for (number, line) in verilog.lines().enumerate() {
        if let Some(module) = &mut open {
            if line.starts_with("endmodule") {
                if let Some(module) = open.take()
                    && let Some(twice) = modules.insert(module.path.clone(), module)
                {
                    return Err(MergeError::Twice(twice.path));
                }
            } else if !line.trim().is_empty() {
                module.body.push(line.trim_end().to_owned());
            }
        } else if let Some((path, ports)) = line.strip_prefix("module ").and_then(|head| head.split_once('('))
        {
            open = Some(Module { path: path.to_owned(), ports: format!("({ports}"), body: Vec::new() });
        } else if !line.trim().is_empty() && !["//", "(*"].iter().any(|start| line.starts_with(start)) {
            return Err(MergeError::Outside(number + 1, line.to_owned()));
        }
    }
    match open {
        Some(module) => Err(MergeError::Unended(module.path)),
        None => Ok(modules),
    }
}

/// Connects `clock` where the kernel did nothing but copy it.
fn wire_clocks(body: &mut Vec<String>) {
    let copied = |line: &str| {
        let target = line.trim().strip_suffix(" = clock;")?;
        target.ends_with("$clock").then(|| target.to_owned())
    };
    let copies: HashSet<String> = body.iter().filter_map(|line| copied(line)).collect();
    body.retain(|line| {
        let declared = line.trim().strip_prefix("reg  ").and_then(|rest| rest.strip_suffix(';'));
        copied(line).is_none() && declared.is_none_or(|name| !copies.contains(name))
    });
    for line in body {
        let connected = line.trim().strip_prefix(".clock(").and_then(|rest| rest.split_once(')'));
        if let Some((net, end)) = connected
            && copies.contains(net)
        {
            *line = format!("        .clock(clock){end}");
        }
    }
}

/// Kind and place of an instance that starts in this line, `KIND NAME(`.
fn instance<'a>(line: &'a str, modules: &BTreeMap<String, Module>) -> Option<(&'a str, &'a str)> {
    let (kind, name) = line.trim().strip_suffix('(')?.split_once(' ')?;
    modules.contains_key(kind).then_some((kind, name))
}

fn instances_renamed<'a>(
    module: &'a Module,
    modules: &BTreeMap<String, Module>,
    name_of: impl Fn(&'a str) -> &'a str,
) -> String {
    let mut text = String::new();
    for line in &module.body {
        match instance(line, modules) {
            Some((kind, name)) => text.push_str(&format!("    {} {name}(", name_of(kind))),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

struct Classes {
    /// Path of a module to the path of the first module that equals it.
    of: HashMap<String, String>,
    /// The first module of each class, leaves before what is made of them, the top last.
    order: Vec<String>,
}

fn classes(modules: &BTreeMap<String, Module>) -> Classes {
    let mut classes = Classes { of: HashMap::new(), order: Vec::new() };
    let mut first = HashMap::new();
    // A child's path is its parent's and one step more, so deeper modules come first.
    let mut paths: Vec<&String> = modules.keys().collect();
    paths.sort_by_key(|path| (std::cmp::Reverse(path.matches('$').count()), path.as_str()));
    for path in paths {
        let module = &modules[path];
        let body =
            instances_renamed(module, modules, |kind| classes.of.get(kind).map_or(kind, String::as_str));
        let representative = first.entry((module.ports.clone(), body)).or_insert_with(|| {
            classes.order.push(path.clone());
            path.clone()
        });
        classes.of.insert(path.clone(), representative.clone());
    }
    classes
}

/// A name for each class, by the path of its first module.
fn names(modules: &BTreeMap<String, Module>, classes: &Classes) -> HashMap<String, String> {
    let mut members: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for path in modules.keys() {
        members.entry(&classes.of[path]).or_default().push(path);
    }
    let mut taken = HashSet::from([TOP.to_owned()]);
    let mut names = HashMap::from([(TOP.to_owned(), TOP.to_owned())]);
    // Modules that stay alone choose first: their path is the name one looks for.
    let (alone, several): (Vec<_>, Vec<_>) =
        classes.order.iter().partition(|path| members[path.as_str()].len() == 1);
    for path in alone.into_iter().chain(several).filter(|path| *path != TOP) {
        let wanted = match members[path.as_str()].as_slice() {
            [only] if register_bits(&modules[path]).is_none() => {
                readable(only.strip_prefix("top$").unwrap_or(only))
            }
            many => shared_name(&modules[path], many),
        };
        let numbered = (2..).map(|n| format!("{wanted}_{n}"));
        let free = std::iter::once(wanted.clone()).chain(numbered).find(|name| !taken.contains(name));
        let name = free.unwrap_or(wanted);
        taken.insert(name.clone());
        names.insert(path.clone(), name);
    }
    names
}

/// Width of a module that is nothing but a register.
fn register_bits(module: &Module) -> Option<usize> {
    if module.ports != "(d,q,clock);" || !module.body.iter().any(|line| line.trim() == "q <= d;") {
        return None;
    }
    let range = module.body.iter().find_map(|line| line.trim().strip_prefix("input wire  ["));
    let high = range.and_then(|rest| rest.split_once(':')?.0.parse::<usize>().ok());
    Some(high.map_or(1, |high| high + 1))
}

/// A register by its width, everything else by the name that most of its instances have.
fn shared_name(module: &Module, paths: &[&str]) -> String {
    if let Some(bits) = register_bits(module) {
        return format!("dff_{bits}");
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for path in paths {
        let steps = path.rsplit('$').find(|step| !step.bytes().all(|byte| byte.is_ascii_digit()));
        *counts.entry(steps.unwrap_or(path)).or_default() += 1;
    }
    let usual = counts.iter().max_by_key(|(name, count)| (**count, std::cmp::Reverse(**name)));
    readable(usual.map_or("module", |(name, _)| name))
}

fn readable(path: &str) -> String {
    path.replace('$', "_")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
