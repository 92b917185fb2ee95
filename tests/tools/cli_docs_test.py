#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The man pages and completions of packaging/gen-cli-docs say what `kiln --help` says, no more and no less; the completions
are asked in the real shells."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.paths import KILN, ROOT  # noqa: E402

BASH = """
. {0}/kiln.bash
compopt() {{ :; }}  # a builtin that works within a real completion only
complete_line() {{
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _kiln
    echo "${{COMPREPLY[*]}}"
}}
"""


class Docs:
    """The generated files, and what --help says: {"images build": (options, arguments, commands below)}."""

    def __init__(self, folder):
        self.folder = folder
        subprocess.run([os.path.join(ROOT, "packaging/gen-cli-docs"), KILN, folder], check=True)
        self.help = {}
        self.read_help("")

    def read_help(self, path):
        """CLI11 prints one option, argument or command a line, two spaces before its name; a longer text goes on below."""
        text = subprocess.run([KILN, *path.split(), "--help"], capture_output=True, text=True, check=True).stdout
        section, found = "", {"Options": set(), "Positionals": set(), "Subcommands": set()}
        below = []
        for line in text.splitlines():
            heading = re.match(r"(\w+):$", line)
            section = heading[1] if heading else section
            entry = re.match(r"  ([\w-][^\s,]*(?:, ?[\w-]+)*)", line)  # "-h,--help", "build, pull"
            if entry and section in found:
                found[section].update(entry[1].replace(", ", ",").split(","))
                if section == "Subcommands":
                    below.append(entry[1].split(",")[0])
        self.help[path] = tuple(found[name] for name in ("Options", "Positionals", "Subcommands"))
        for name in below:
            self.read_help(f"{path} {name}".strip())

    def text(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return file.read()


@kiln_test.fixture
def docs():
    with tempfile.TemporaryDirectory(prefix="kt-docs-") as folder:
        yield Docs(folder)


def section_of(docs, path):
    """What the man pages say of a command, hyphens as a person types them; None where there is nothing."""
    if path == "serve":
        return re.search(r"\.SH OPTIONS\n(.*?)\.SH", docs.text("kiln-serve.8"), re.S)[1].replace("\\-", "-")
    found = re.search(rf"\.SS kiln {re.escape(path)}\n(.*?)(?=\.S[SH])", docs.text("kiln.1").replace("\\-", "-"), re.S)
    return found and found[1]


def test_man_pages_hold_every_command_and_option_of_the_help(docs):
    assert len(docs.help) > 10 and "--listen" in docs.help["serve"][0], docs.help
    for path, (options, arguments, below) in docs.help.items():
        if path and not below:
            section = section_of(docs, path)
            assert section, f"kiln {path} is in no man page"
            entries = re.findall(r"\.TP\n(.*)\n", section)
            bold = {name for entry in entries for name in re.findall(r"\\fB(.+?)\\fR", entry)}
            assert bold == options, (path, bold ^ options)
            assert {entry[3:] for entry in entries if entry.startswith(".I ")} == arguments, (path, entries)


def test_man_pages_are_good_roff(docs):
    for page in ("kiln.1", "kiln-serve.8"):
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", os.path.join(docs.folder, page)],
                              capture_output=True, text=True, check=True)  # fmt: skip
        assert done.stderr == "", done.stderr
        assert "@" not in re.sub(r"\[.USER@\]|root@|USER@", "", docs.text(page)), "a placeholder is left"


def test_bash_offers_what_the_help_says(docs):
    lines, wanted = [], []
    for path, (options, _, below) in docs.help.items():
        lines.append(f"complete_line kiln {path} -")
        wanted.append(options)
        if below:
            lines.append(f"complete_line kiln {path} ''")
            wanted.append(below)
    lines.append("complete_line kiln serve --accelerator ''")
    wanted.append({"auto", "kvm", "tcg"})
    lines.append("complete_line kiln images pull --data x ''")
    wanted.append({"tiny-linux", "debian-12"})
    done = subprocess.run(["bash", "-c", BASH.format(docs.folder) + "\n".join(lines)], capture_output=True, text=True, check=True)
    assert done.stderr == "", done.stderr
    for line, answer, words in zip(lines, done.stdout.splitlines(), wanted, strict=True):
        assert set(answer.split()) == words, (line, answer, words)


def test_fish_offers_what_the_help_says(docs):
    lines, wanted = [], []
    for path, (options, _, below) in docs.help.items():
        lines.append(f"kiln {path} -".replace("  ", " "))
        wanted.append(options)
        if below:
            lines.append(f"kiln {path} ".replace("  ", " "))
            wanted.append(below)
    lines.append("kiln images pull --data x ")
    wanted.append({"tiny-linux", "debian-12"})
    asked = "".join(f"; complete -C {json.dumps(line)}; echo END" for line in lines)
    environment = dict(os.environ, HOME=docs.folder)  # fish writes into it
    done = subprocess.run(["fish", "-c", f"source {docs.folder}/kiln.fish{asked}"], capture_output=True, text=True, check=True, env=environment)
    assert done.stderr == "", done.stderr
    for line, answer, words in zip(lines, done.stdout.split("END\n"), wanted, strict=False):
        offered = {entry.split("\t")[0] for entry in answer.splitlines()}
        assert offered == words, (line, offered ^ words)


def test_zsh_completes_commands_options_and_values(docs):
    subprocess.run(["zsh", "-n", os.path.join(docs.folder, "_kiln")], check=True)
    os.mkdir(os.path.join(docs.folder, "zsh"))
    shutil.copy(os.path.join(docs.folder, "_kiln"), os.path.join(docs.folder, "zsh"))
    answers = zsh(docs.folder, ["kiln serv\t", "kiln serve --accel\t", "kiln serve --accelerator k\t", "kiln images pu\t",
                                "kiln images build debi\t", "kiln ssh --iden\t"])  # fmt: skip
    assert answers == ["kiln serve", "kiln serve --accelerator", "kiln serve --accelerator kvm", "kiln images pull",
                       "kiln images build debian-12", "kiln ssh --identity"], answers  # fmt: skip
    for path, (options, _, _) in docs.help.items():
        function = re.search(rf"^{('_kiln ' + path).strip().replace(' ', '_')}\(\) {{(.*?)^}}", docs.text("_kiln"), re.S | re.M)[1]
        named = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*(?='?\[|,|}|')", re.sub(r"\[.*?\]", "[", function))) - {"-s", "-C"} | (
            options & {"-s", "-C"})  # fmt: skip
        assert named == options, (path, named ^ options)


def zsh(folder, lines):
    """Types each line, its tab included, into a real zsh and returns what the line is then."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("zsh", ["zsh", "-f"], dict(os.environ, HOME=folder, TERM="dumb", PS1="> "))
    try:
        typed = f"unsetopt zle_bracketed_paste; fpath=({folder}/zsh $fpath); autoload -U compinit; compinit -D; compdef\n"
        # What is on the line when ^X is typed is written to a file.
        typed += f"show() {{ print -r -- $BUFFER >>{folder}/lines; BUFFER= }}; zle -N show; bindkey '^X' show\n"
        os.write(terminal, typed.encode())
        for line in lines:
            os.write(terminal, line.encode() + b"\x18")
        end = time.monotonic() + 30
        answers = []
        while len(answers) < len(lines) and time.monotonic() < end:
            if select.select([terminal], [], [], 0.1)[0]:
                os.read(terminal, 65536)  # else it waits for room
            if os.path.exists(f"{folder}/lines"):
                with open(f"{folder}/lines", encoding="utf-8") as file:
                    answers = [line.strip() for line in file.read().splitlines()]
        return answers
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)


if __name__ == "__main__":
    kiln_test.main()
