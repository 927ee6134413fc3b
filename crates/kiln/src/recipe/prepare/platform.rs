//! Which platform keys (`cfg(unix)`, `x86_64-pc-windows-msvc`) apply to the target and to the host.
//!
//! cargo asks rustc for the cfgs of a target. A recipe is made without a compiler, so they are derived from the triple's parts,
//! which decides everything that manifests use in practice. What a triple does not say (`target_feature`, `panic`, a custom
//! `--cfg` that may come from the environment) is [`Verdict::Unknown`] and left to cargo, by keeping the key in the recipe.

use std::cell::RefCell;
use std::collections::HashMap;
use std::str::FromStr;

use cargo_platform::{Cfg, CfgExpr, Platform};

/// For which machine something is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Side {
    Target,
    Host,
}

/// Whether a platform key applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Yes,
    No,
    /// It depends on what only the compiler or the environment knows.
    Unknown,
}

/// One machine: its triple and what follows from it.
#[derive(Debug)]
pub(super) struct Machine {
    triple: String,
    /// None for a system that kiln does not know: then nothing is certain but the name.
    facts: Option<Facts>,
    cfgs: Vec<Cfg>,
}

impl Machine {
    /// From a triple (or the path of a target file, of which the stem counts) and the `--cfg`s given by configuration.
    pub(super) fn new(triple: &str, cfgs: Vec<Cfg>) -> Self {
        let triple = triple.rsplit('/').next().unwrap_or(triple);
        let triple = triple.strip_suffix(".json").unwrap_or(triple).to_owned();
        Self { facts: facts(&triple), triple, cfgs }
    }

    /// Whether `platform` applies to this machine.
    pub(super) fn applies(&self, platform: &Platform) -> Verdict {
        match platform {
            Platform::Name(name) => verdict(*name == self.triple),
            Platform::Cfg(expression) => self.evaluate(expression),
        }
    }

    fn evaluate(&self, expression: &CfgExpr) -> Verdict {
        match expression {
            CfgExpr::True => Verdict::Yes,
            CfgExpr::False => Verdict::No,
            CfgExpr::Not(inner) => match self.evaluate(inner) {
                Verdict::Yes => Verdict::No,
                Verdict::No => Verdict::Yes,
                Verdict::Unknown => Verdict::Unknown,
            },
            CfgExpr::All(inner) => self.fold(inner, Verdict::No, Verdict::Yes),
            CfgExpr::Any(inner) => self.fold(inner, Verdict::Yes, Verdict::No),
            CfgExpr::Value(cfg) => self.value(cfg),
        }
    }

    /// `decisive` as soon as one is; `otherwise` if all are the other way; unknown in between.
    fn fold(&self, inner: &[CfgExpr], decisive: Verdict, otherwise: Verdict) -> Verdict {
        let mut result = otherwise;
        for expression in inner {
            match self.evaluate(expression) {
                verdict if verdict == decisive => return decisive,
                Verdict::Unknown => result = Verdict::Unknown,
                _ => {}
            }
        }
        result
    }

    fn value(&self, cfg: &Cfg) -> Verdict {
        if self.cfgs.contains(cfg) {
            return Verdict::Yes;
        }
        let family = |name: &str| match &self.facts {
            Some(facts) => verdict(facts.family.contains(&name)),
            None => Verdict::Unknown,
        };
        match cfg {
            Cfg::Name(name) => match name.as_str() {
                name @ ("unix" | "windows") => family(name),
                // rustc prints it always; cargo never sets the other two for a platform.
                "debug_assertions" => Verdict::Yes,
                "test" | "proc_macro" => Verdict::No,
                _ => Verdict::Unknown,
            },
            Cfg::KeyPair(key, value) => match key.as_str() {
                "target_family" => family(value),
                "feature" => Verdict::No,
                key => {
                    let keys = self.facts.iter().flat_map(|facts| &facts.keys);
                    let fact = keys.into_iter().find(|(known, _)| *known == key);
                    fact.map_or(Verdict::Unknown, |(_, known)| verdict(known == value))
                }
            },
        }
    }
}

fn verdict(truth: bool) -> Verdict {
    if truth { Verdict::Yes } else { Verdict::No }
}

/// The target and the host of a build, with every platform key met so far.
#[derive(Debug)]
pub(super) struct Machines {
    target: Machine,
    host: Machine,
    known: RefCell<HashMap<String, (Verdict, Verdict)>>,
}

impl Machines {
    pub(super) fn new(target: Machine, host: Machine) -> Self {
        Self { target, host, known: RefCell::default() }
    }

    /// Whether the key applies on that side; the message says why it cannot be read.
    pub(super) fn applies(&self, platform: Option<&str>, side: Side) -> Result<Verdict, String> {
        let Some(platform) = platform else { return Ok(Verdict::Yes) };
        let known = self.known.borrow().get(platform).copied();
        let (target, host) = if let Some(known) = known {
            known
        } else {
            let parsed = Platform::from_str(platform).map_err(|error| error.to_string())?;
            let verdicts = (self.target.applies(&parsed), self.host.applies(&parsed));
            self.known.borrow_mut().insert(platform.to_owned(), verdicts);
            verdicts
        };
        Ok(match side {
            Side::Target => target,
            Side::Host => host,
        })
    }
}

/// What a triple tells.
#[derive(Debug)]
struct Facts {
    keys: Vec<(&'static str, String)>,
    family: Vec<&'static str>,
}

/// What rustc would print for the triple, as far as its parts tell.
fn facts(triple: &str) -> Option<Facts> {
    let mut parts = triple.split('-');
    let cpu = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let (vendor, system) = match rest.as_slice() {
        [] => ("unknown", vec![]),
        // `aarch64-linux-android`, `x86_64-fortanix-…`: the vendor is left out when the first part is a system.
        [first, ..] if SYSTEMS.iter().any(|(name, ..)| first.starts_with(name)) => ("unknown", rest.clone()),
        [vendor, system @ ..] => (*vendor, system.to_vec()),
    };
    let arch = architecture(cpu);
    let mut os = system.first().copied().unwrap_or("none");
    let mut env = system.get(1).copied().unwrap_or("");
    let mut family = Vec::new();
    let (_, name, families) = SYSTEMS.iter().find(|(prefix, ..)| os.starts_with(prefix))?;
    os = name;
    family.extend(families.iter().copied());
    let mut abi = "";
    if env.starts_with("android") {
        os = "android";
        env = "";
    }
    for name in ["gnu", "musl", "uclibc", "ohos", "msvc"] {
        if let Some(suffix) = env.strip_prefix(name) {
            abi = suffix;
            env = name;
        }
    }
    if env == "llvm" {
        env = "gnu";
    }
    if env.starts_with("eabi") || matches!(env, "elf" | "softfloat" | "none") {
        env = "";
    }
    if os == "wasi" {
        env = system.first().and_then(|name| name.strip_prefix("wasi")).unwrap_or_default();
    }
    if cpu.starts_with("wasm") && !family.contains(&"wasm") {
        family.push("wasm");
    }
    let big = matches!(arch, "s390x" | "sparc" | "sparc64" | "m68k")
        || matches!(arch, "powerpc" | "powerpc64") && !cpu.ends_with("le")
        || arch.starts_with("mips") && !cpu.contains("el")
        || cpu.ends_with("_be")
        || cpu.ends_with("eb");
    let keys = vec![
        ("target_arch", arch.to_owned()),
        ("target_os", os.to_owned()),
        ("target_env", env.to_owned()),
        ("target_vendor", vendor.to_owned()),
        ("target_endian", if big { "big" } else { "little" }.to_owned()),
        ("target_pointer_width", pointer_width(arch, cpu, abi).to_owned()),
    ];
    Some(Facts { keys, family })
}

/// Beginning of the system part, `target_os`, `target_family`.
const SYSTEMS: &[(&str, &str, &[&str])] = &[
    ("linux", "linux", &["unix"]),
    ("android", "android", &["unix"]),
    ("windows", "windows", &["windows"]),
    ("darwin", "macos", &["unix"]),
    ("macosx", "macos", &["unix"]),
    ("ios", "ios", &["unix"]),
    ("tvos", "tvos", &["unix"]),
    ("watchos", "watchos", &["unix"]),
    ("visionos", "visionos", &["unix"]),
    ("freebsd", "freebsd", &["unix"]),
    ("netbsd", "netbsd", &["unix"]),
    ("openbsd", "openbsd", &["unix"]),
    ("dragonfly", "dragonfly", &["unix"]),
    ("solaris", "solaris", &["unix"]),
    ("illumos", "illumos", &["unix"]),
    ("haiku", "haiku", &["unix"]),
    ("emscripten", "emscripten", &["unix", "wasm"]),
    ("wasi", "wasi", &["wasm"]),
    ("fuchsia", "fuchsia", &["unix"]),
    ("uefi", "uefi", &[]),
    ("hermit", "hermit", &[]),
    ("none", "none", &[]),
];

fn architecture(cpu: &str) -> &str {
    match cpu {
        "i386" | "i486" | "i586" | "i686" => "x86",
        "x86_64h" => "x86_64",
        "arm64" | "arm64e" | "arm64_32" | "aarch64_be" => "aarch64",
        "powerpc64le" => "powerpc64",
        "sparcv9" => "sparc64",
        _ if cpu.starts_with("riscv32") => "riscv32",
        _ if cpu.starts_with("riscv64") => "riscv64",
        _ if cpu.starts_with("arm") || cpu.starts_with("thumb") => "arm",
        _ if cpu.starts_with("wasm32") => "wasm32",
        _ if cpu.starts_with("wasm64") => "wasm64",
        _ if cpu.starts_with("mipsisa32r6") => "mips32r6",
        _ if cpu.starts_with("mipsisa64r6") => "mips64r6",
        _ if cpu.starts_with("mips64") => "mips64",
        _ if cpu.starts_with("mips") => "mips",
        _ => cpu,
    }
}

fn pointer_width(arch: &str, cpu: &str, abi: &str) -> &'static str {
    if abi == "x32" || abi.contains("ilp32") || cpu == "arm64_32" {
        return "32";
    }
    match arch {
        "x86_64" | "aarch64" | "riscv64" | "powerpc64" | "s390x" | "sparc64" | "mips64" | "mips64r6" | "loongarch64"
        | "wasm64" => "64",
        "avr" | "msp430" => "16",
        _ => "32",
    }
}
