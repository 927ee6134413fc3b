#!/usr/bin/env python3
"""Records which files of a tree BuildKit takes under ignore files, with real builds. Usage: record_ignore.py > table.json"""
import json, os, random, subprocess, sys, tempfile
TREE = ["a", "b.md", "c d", "x*y", "[z]", "!bang", "#hash", "é.txt", ".env", ".env.local", ".git/HEAD", ".git/refs/x", "Cargo.toml", "README.md",
    "docs/README.md", "docs/a.md", "docs/deep/b.md", "docs/deep/c.txt", "src/main.rs", "src/lib.rs", "src/bin/a.rs", "src/bin/target/x",
    "target/debug/a", "target/a", "crates/a/target/y", "crates/a/src/lib.rs", "crates/b/Cargo.toml", "node_modules/p/index.js",
    "web/node_modules/p/index.js", "web/dist/a.js", "web/src/a.ts", "UPPER/File.TXT", "back\\slash", "a1", "a2", "ab/cd/ef/gh", "ab/cd/x.md", "empty/"]
HAND = ["", "*", "**", "*\n!src", "**\n!src/**", "*\n!src/main.rs", "*\n!src/*.rs", "docs\n!docs/README.md", "docs/*\n!docs/deep", "docs/**\n!docs/deep/b.md",
    "**/target", "**/target\n!src/bin/target", "target/", "/target", "./target", "target/..", "src/../docs", "*.md\n!README.md", "**/*.md\n!**/README.md",
    "**/*.md", "*.md", "**md", "**/node_modules", "node_modules", ".*", ".env*", ".env*\n!.env.local", "[a-c]*", "[^a-c]*", "?", "??", "a?", "a[12]", "x\\*y", "x*y",
    "\\[z\\]", "[[]z]", "\\!bang", "!bang", "/!a\na", "a\n/!a", "a\n./!a", "!!bang\n*", "*\n!!bang", "#hash", "\\#hash", "/#hash", " #hash", "  a  ", "\ta\t", "\ufeffa", "\ufeff# x\na",
    "a\r\nb.md\r\n", "c d", "c*", "é.txt", "?.txt", "src/bin/a.rs\n!src/bin", "src/bin\n!src", "!src\nsrc/bin", "src\n!src/bin\nsrc/bin/a.rs", "*\n!*/\n", "*\n!*/*", "*\n!**/*.rs",
    "**\n!**/*.rs", "ab/**/gh", "ab/**", "ab/**/", "ab/*", "ab/*/ef", "ab**", "ab/c*", "**/ef/**", "**/**/x.md", "***", "a**", "**a", "**/a", "*/a", "*/*/a", "UPPER", "upper", "UPPER/*.txt",
    "back\\\\slash", "back\\slash", "empty", "*\n!empty", "**/src\n!web/src", "crates/*/target", "crates/**/target", "crates/*\n!crates/b", "Cargo.toml\n!Cargo.toml", "!Cargo.toml\nCargo.toml",
    "docs\n!docs", "docs\n!docs/", "docs\n!docs/**", "docs\n!docs/*.md", "docs/deep/..", "../a", "..", ".", "/", "!.", "*\n!.", "*\n!a\na*\n!a1", "\\d*", "a\\d", "[[:alpha:]]1", "[a*]", "[?]", "a^b", "^a",
    "]", "a]", "[z]]", "(a)", "a|b.md", "a+", "{a,b.md}", "$a", "a$", "*\n!web/dist", "*\n!web/dist/**", "web\n!web/**/*.ts", "*/\n", "src//bin", "src/./bin", "src/bin/", "/src/bin/*", "**/bin/*\n!**/bin/a.rs",
    "*.*", "*\n!*.*", "[a-", "[", "[]", "a\\", "[b-a]", "!", "!/", "[^]", "[-a]", "[a-]", "!  ", "\\p", "a\\b", "\\Qa\\E", "[\\]z]", "**/.git", "/**", "/*", "./*", "./**/a", "*\n!/src", "*\n! src ",
    "# only\n#comments", "\n\n", "a\n#\nb.md", "a # not a comment", "docs\n!docs/deep/*\ndocs/deep/c.txt", "**/*\n!src", "*\n!crates/*/src", "*\n!crates/**/src", "src/bin/target\n!src/bin/target/x\nsrc"]
random.seed(7)
ATOMS = ["a", "b.md", "docs", "src", "bin", "target", "deep", "web", "crates", "ab", "cd", "README.md", "*.md", "*.rs", "*", "**", "?", "a*", "*a", "[a-c]*", "[^a]*", "**a", "d**", "node_modules", "lib.rs", "x.md", ".env", ".*"]
def random_pattern():
    return random.choice(["", "", "", "!", "!", "/", "**/", "!**/"]) + "/".join(random.choice(ATOMS) for _ in range(random.choice([1, 1, 1, 2, 2, 3]))) + random.choice(["", "", "", "/", "/*", "/**"])
CASES = HAND + ["\n".join(random_pattern() for _ in range(random.randint(1, 6))) for _ in range(330)]
def listing(root):
    found = []
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            found.append(os.path.relpath(os.path.join(folder, name), root))
    return sorted(found)
def make(folder, text):
    for path in TREE:
        full = os.path.join(folder, path)
        if path.endswith("/"):
            os.makedirs(full); continue
        os.makedirs(os.path.dirname(full), exist_ok=True)
        open(full, "w").close()
    with open(f"{folder}/.dockerignore", "wb") as file:
        file.write(text.encode())
def batch(cases, root, number):
    command = ["docker", "buildx", "build", "--output", f"type=local,dest={root}/out{number}"]
    lines = ["FROM scratch"]
    for index, text in cases:
        folder = f"{root}/ign{index}"
        if not os.path.isdir(folder):
            os.makedirs(folder); make(folder, text)
        command += ["--build-context", f"c{index}={folder}"]
        lines.append(f"COPY --from=c{index} . /{index}/")
    os.makedirs(f"{root}/main{number}")
    with open(f"{root}/main{number}/Dockerfile", "w") as file:
        file.write("\n".join(lines))
    done = subprocess.run(command + [f"{root}/main{number}"], capture_output=True, text=True)
    if done.returncode == 0:
        return {index: listing(f"{root}/out{number}/{index}") if os.path.isdir(f"{root}/out{number}/{index}") else [] for index, _ in cases}
    if len(cases) == 1:
        error = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        return {cases[0][0]: error[-1] if error else done.stderr[-300:]}
    half = len(cases) // 2
    return {**batch(cases[:half], root, f"{number}l"), **batch(cases[half:], root, f"{number}r")}
answers = {}
with tempfile.TemporaryDirectory(prefix="ign-") as root:
    cases = list(enumerate(CASES))
    for start in range(0, len(cases), 24):
        answers.update(batch(cases[start:start + 24], root, str(start)))
        print(start, file=sys.stderr, flush=True)
json.dump({"tree": TREE, "cases": [{"ignore": text, "answer": answers[index]} for index, text in enumerate(CASES)]}, sys.stdout, ensure_ascii=False, indent=None)
