# SPDX-License-Identifier: Apache-2.0
"""Man pages: prose with @COMMANDS@ and @OPTIONS COMMAND@ on lines of their own, where the table's entries go."""

import re


def page(prose, table, version, date):
    """The page as roff."""

    def put_in(line):
        options = re.fullmatch(r"@OPTIONS (.+)@", line)
        if options:
            return entries(table[options[1]])
        if line == "@COMMANDS@":
            return "".join(section(path, command) for path, command in table.items() if path and not command["commands"])
        return line.replace("@VERSION@", version).replace("@DATE@", date) + "\n"

    return "".join(put_in(line) for line in prose.splitlines())


def section(path, command):
    if path == "serve":  # has a page of its own
        return f'.SS kiln serve\n{sentence(command["description"])} See\n.BR kiln\\-serve (8).\n'
    words = [f"\\fB{roff('kiln ' + path)}\\fR [\\fIoptions\\fR]"]
    for argument in command["arguments"]:
        name = f"\\fI{roff(argument['name'])}\\fR" + (" ..." if argument["repeated"] else "")
        words.append(name if argument["required"] else f"[{name}]")
    also = "".join(f"Also called \\fB{roff(alias)}\\fR.\n" for alias in command["aliases"])
    return f".SS kiln {roff(path)}\n{' '.join(words)}\n.PP\n{sentence(command['description'])}\n{also}{entries(command)}"


def entries(command):
    """Arguments and options of a command."""
    out = ""
    for argument in command["arguments"]:
        out += f".TP\n.I {roff(argument['name'])}\n{text(argument)}\n"
    for option in command["options"]:
        names = ", ".join(f"\\fB{roff(name)}\\fR" for name in option["names"])
        out += f".TP\n{names}{value(option)}\n{text(option)}\n"
    return out


def text(option):
    out = sentence(option["description"], option["kind"])
    if option.get("default"):
        out += f" Default: {roff(option['default'])}."
    if option.get("required") and "names" in option:
        out += " Required."
    return out


def value(option):
    if not option["value"]:
        return ""
    kind = option["kind"]
    if isinstance(kind, list):
        return " " + "|".join(f"\\fI{roff(word)}\\fR" for word in kind)
    return f" \\fI{ {'directory': 'DIR', 'file': 'FILE'}.get(kind, 'VALUE')}\\fR".replace(" \\fI ", " \\fI")


def sentence(words, values=None):
    """With a capital and a full stop, unless it begins with a name or one of the values."""
    words = words.strip()
    if re.match(r"[a-z]+(?![\w.-])", words) and not words.startswith(tuple(values if isinstance(values, list) else ())):
        words = words[0].upper() + words[1:]
    return roff(words if words.endswith((".", ")")) and not words.endswith("...)") else words + ".")


def roff(words):
    words = words.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + words if words.startswith((".", "'")) else words
