# shellcheck shell=bash
# Sourced by steps that use PowerShell. Sets $pwsh to a PowerShell 7.4 or later, or to nothing after saying so in one line.
#
# A pwsh on PATH is used; else the local dotnet tool (package PowerShell), where the feed has it. Pester 5 comes from the
# gallery where that answers.

pwsh=
pwsh_missing=

_find_pwsh() {
    local version
    if command -v pwsh > /dev/null; then
        version=$(pwsh -NoProfile -NonInteractive -c '$PSVersionTable.PSVersion.ToString()' 2> /dev/null)
        case "$version" in
            7.[4-9]* | 7.[1-9][0-9]* | [89].*) pwsh=pwsh; return ;;
            *) pwsh_missing="pwsh on PATH is version '${version:-unknown}', and 7.4 or later is needed" ;;
        esac
    else
        pwsh_missing="PowerShell is not installed"
    fi

    # A feed that doesn't have it is asked again the next day.
    local tools=$PWD/out/tools
    mkdir -p "$tools"
    if [ ! -x "$tools/pwsh" ] && [ -z "$(find "$tools/absent" -mtime -1 2> /dev/null)" ]; then
        dotnet tool install PowerShell --tool-path "$tools" > "$tools/install.log" 2>&1 || touch "$tools/absent"
    fi
    if [ -x "$tools/pwsh" ]; then pwsh=$tools/pwsh; fi
}

_find_pester() {
    local has='(Get-Module -ListAvailable Pester | Where-Object { $_.Version -ge [version]"5.0" } | Measure-Object).Count -gt 0'
    [ "$("$pwsh" -NoProfile -NonInteractive -c "$has")" = True ] && return 0
    timeout 60 "$pwsh" -NoProfile -NonInteractive -c \
        'Install-Module Pester -MinimumVersion 5.5 -Scope CurrentUser -Force -SkipPublisherCheck' > /dev/null 2>&1
    [ "$("$pwsh" -NoProfile -NonInteractive -c "$has")" = True ]
}

# use_pwsh WHAT: fills $pwsh, or says in one line that WHAT is left out.
use_pwsh() {
    _find_pwsh
    [ -n "$pwsh" ] || echo "left out: $1 ($pwsh_missing; https://aka.ms/install-powershell tells how to get it)"
}

# use_pester WHAT: as use_pwsh, for what needs Pester as well.
use_pester() {
    use_pwsh "$1"
    if [ -n "$pwsh" ] && ! _find_pester; then
        pwsh=
        echo "left out: $1 (Pester 5 is not installed; in pwsh: Install-Module Pester -MinimumVersion 5.5)"
    fi
}
