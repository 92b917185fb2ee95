# SPDX-License-Identifier: Apache-2.0
"""Completions for bash, zsh and fish. All three find out in the same way which command the line is about: the words
before the cursor are walked, and each that continues a command's path does so."""

HEAD = "# Completion of kiln, made by packaging/gen-cli-docs from the program's own table of commands.\n"


def _steps(table):
    """(path, word, path behind it) for every command and alias."""
    for path, command in table.items():
        for below in command["commands"]:
            for word in [below["name"]] + below["aliases"]:
                yield path, word, f"{path} {below['name']}".strip()


def _brief(text):
    """The first sentence, without what shells would take for syntax of theirs."""
    return text.split(". ")[0].rstrip(".").replace("'", "").replace("`", "").replace('"', "").replace("$", "")


# bash


def bash(table):
    out = HEAD + "_kiln()\n{\n    local at='' word cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
    out += '    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do\n        case "$at $word" in\n'
    for path, word, behind in _steps(table):
        out += f"            '{path} {word}') at='{behind}' ;;\n"
    out += "        esac\n    done\n    compopt +o default\n    COMPREPLY=()\n"
    out += '    case "$at $prev" in\n'
    for path, command in table.items():
        for option in command["options"]:
            if option["value"]:
                patterns = "|".join(f"'{path} {name}'" for name in option["names"])
                out += f"        {patterns}) {_bash_values(option['kind'])}return ;;\n"
    out += "    esac\n    if [[ $cur == -* ]]; then\n        case \"$at\" in\n"
    for path, command in table.items():
        names = " ".join(name for option in command["options"] for name in option["names"])
        out += f"            '{path}') mapfile -t COMPREPLY < <(compgen -W '{names}' -- \"$cur\") ;;\n"
    out += "        esac\n        return\n    fi\n    case \"$at\" in\n"
    for path, command in table.items():
        out += f"        '{path}') {_bash_words(command)};;\n"
    return out + "    esac\n}\ncomplete -F _kiln kiln\n"


def _bash_words(command):
    names = " ".join(word for below in command["commands"] for word in [below["name"]] + below["aliases"])
    if names:
        return f"mapfile -t COMPREPLY < <(compgen -W '{names}' -- \"$cur\") "
    return "".join(_bash_values(argument["kind"]) for argument in command["arguments"])


def _bash_values(kind):
    if kind == "directory":
        return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); '
    if kind == "file":
        return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); '
    if kind:
        return f"mapfile -t COMPREPLY < <(compgen -W '{' '.join(kind)}' -- \"$cur\"); "
    return ""


# zsh


def zsh(table):
    out = "#compdef kiln\n" + HEAD
    for path in table:
        out += _zsh_function(path, table[path])
    return out + '_kiln "$@"\n'


def _zsh_name(path):
    return ("_kiln " + path).strip().replace(" ", "_").replace("-", "_")


def _zsh_function(path, command):
    words = [_zsh_option(option) for option in command["options"]]
    out = f"{_zsh_name(path)}() {{\n"
    if not command["commands"]:
        words += [_zsh_argument(argument) for argument in command["arguments"]]
        return out + "    _arguments -s \\\n        " + " \\\n        ".join(words) + "\n}\n"
    words += ["'1: :->command'", "'*:: :->rest'"]
    out += "    local context state line\n    typeset -A opt_args\n    local -a commands=(\n"
    for below in command["commands"]:
        for name in [below["name"]] + below["aliases"]:
            out += f"        '{name}:{_zsh_text(below['description'])}'\n"
    out += "    )\n    _arguments -C \\\n        " + " \\\n        ".join(words) + "\n    case $state in\n"
    out += "        command) _describe command commands ;;\n        rest)\n            case ${words[1]} in\n"
    for below in command["commands"]:
        names = "|".join([below["name"]] + below["aliases"])
        out += f"                {names}) {_zsh_name(path + ' ' + below['name'] if path else below['name'])} ;;\n"
    return out + "            esac ;;\n    esac\n}\n"


def _zsh_option(option):
    names = option["names"]
    repeat = "*" if option["repeated"] else ""
    exclusive = "" if repeat else f"'({' '.join(names)})'" if len(names) > 1 else ""
    values = f":value:{_zsh_values(option['kind'])}" if option["value"] else ""
    text = f"'[{_zsh_text(option['description'])}]{values}'"
    if len(names) > 1:
        return f"{exclusive}{repeat and repr(repeat)}{{{','.join(names)}}}{text}"
    return f"'{repeat}{names[0]}'{text}"


def _zsh_argument(argument):
    # Where there is nothing to offer, _guard lets the options be offered instead.
    values = _zsh_values(argument["kind"]) if argument["kind"] else f'_guard "^-*" {argument["name"]}'
    return f"'{'*' if argument['repeated'] else ''}:{argument['name']}:{values}'"


def _zsh_values(kind):
    if isinstance(kind, list):
        return f"({' '.join(kind)})"
    return {"directory": "_files -/", "file": "_files"}.get(kind, " ")


def _zsh_text(text):
    return _brief(text).replace("[", "(").replace("]", ")").replace(":", "")


# fish


def fish(table):
    out = HEAD + "function __kiln_at\n    set -l at ''\n    for word in (commandline -opc)[2..-1]\n        switch \"$at $word\"\n"
    for path, word, behind in _steps(table):
        out += f"            case '{path} {word}'\n                set at '{behind}'\n"
    out += "        end\n    end\n    test \"$at\" = \"$argv[1]\"\nend\ncomplete -c kiln -f\n"
    for path, command in table.items():
        start = f"complete -c kiln -n '__kiln_at \"{path}\"'"
        for below in command["commands"]:
            for name in [below["name"]] + below["aliases"]:
                out += f"{start} -a {name} -d '{_brief(below['description'])}'\n"
        for option in command["options"]:
            names = "".join(f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}" for name in option["names"])
            values = _fish_values(option["kind"], "-x") if option["value"] else ""
            out += f"{start}{names}{values} -d '{_brief(option['description'])}'\n"
        for argument in command["arguments"]:
            if argument["kind"]:
                out += f"{start}{_fish_values(argument['kind'], '')}\n"
    return out


def _fish_values(kind, none):
    if isinstance(kind, list):
        return f" {none} -a '{' '.join(kind)}'".replace("  ", " ")
    if kind == "directory":
        return " -x -a '(__fish_complete_directories)'"
    if kind == "file":
        return " -r -F" if none else " -F"
    return f" {none}"
