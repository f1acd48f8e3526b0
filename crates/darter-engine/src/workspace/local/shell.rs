//! What a shell in a workspace is told before it reads its owner's own files: a prompt with the workspace's name, colours,
//! completion. Files of the sandbox, for workspaces on this machine's own system: an image has brought its own. Must never
//! write into a home.

use darter_sandbox::File;

/// For bash on a terminal. The owner's `~/.bashrc` is read after it and has the last word.
const BASHRC: &str = r#"# Read by every interactive bash before ~/.bashrc, which may change all of it.
[ -n "${PS1-}" ] && [ -n "${BASH_VERSION-}" ] || return 0

shopt -s checkwinsize histappend
HISTCONTROL=ignoreboth
HISTSIZE=10000
HISTFILESIZE=20000

PS1='\u@${HOSTNAME}:\w\$ '
case "${TERM-}" in
*color* | xterm* | screen* | tmux* | linux)
    PS1='\[\e[1;32m\]\u@${HOSTNAME}\[\e[0m\]:\[\e[1;34m\]\w\[\e[0m\]\$ '
    if command -v dircolors > /dev/null; then
        eval "$(dircolors -b)"
        alias ls='ls --color=auto'
    fi
    alias grep='grep --color=auto'
    ;;
esac
case "${TERM-}" in
xterm*) PS1="\[\e]0;\u@\${HOSTNAME}: \w\a\]$PS1" ;;
esac

if ! shopt -oq posix && [ -r /usr/share/bash-completion/bash_completion ]; then
    . /usr/share/bash-completion/bash_completion
fi
"#;

/// For login shells, which read nothing else of ours. `PATH` is the environment's already.
const PROFILE: &str = r#"# Read by every login shell before ~/.bash_profile or ~/.profile.
if [ -n "${BASH_VERSION-}" ] && [ -r /etc/bash.bashrc ]; then
    . /etc/bash.bashrc
    # Without a file of its own for logins, bash would leave ~/.bashrc out.
    if [ -n "${PS1-}" ] && [ -r ~/.bashrc ] && [ ! -e ~/.bash_profile ] && [ ! -e ~/.bash_login ] && [ ! -e ~/.profile ]; then
        . ~/.bashrc
    fi
fi
"#;

/// The files, as a sandbox shows them.
pub(super) fn files() -> [File; 2] {
    [("/etc/bash.bashrc", BASHRC), ("/etc/profile", PROFILE)]
        .map(|(at, content)| File { at: at.into(), content: content.into() })
}
