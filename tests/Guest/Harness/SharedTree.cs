using System;
using System.IO;

namespace Strato.Tests.Guest.Harness;

/// <summary>A folder of the host that guests share, with scripts that make a tree there and tell all of a tree, the same on both sides.</summary>
internal sealed class SharedTree
{
    /// <summary>Kinds of files, names and modes; the names have all that a shell or an option could stumble over.</summary>
    private const string Make = """
        set -e
        mkdir -p "$1" && cd "$1" && umask 022
        mkdir -p deep/er/st empty ' spaces ' 'weiß' -- --dash
        printf 'hello\n' >plain
        printf '\000\377\r\n' >'bytes,with\backslash'
        : >empty/nothing
        printf x >"$(printf '%0255d' 0)"
        printf q >'quo"te'\''s $HOME *?'
        printf d >./--dash/-rf
        printf u >'weiß/ünïcode-✓'
        i=0
        while [ $i -lt 40 ]; do echo $i >deep/er/st/$i; i=$((i+1)); done
        ln -s plain link
        ln -s /nowhere/at/all dangling
        ln -s ../.. deep/er/up
        ln plain deep/hard
        mkfifo pipe
        dd if=/dev/urandom of=big bs=1M count=16 2>/dev/null
        dd if=/dev/zero of=sparse bs=1 count=1 seek=5000000 2>/dev/null
        chmod 0000 plain; chmod 4755 empty/nothing; chmod 1777 empty; chmod 2750 deep; chmod 0400 big
        chown 1234:4321 'weiß/ünïcode-✓'
        touch -d '2001-02-03 04:05:06' sparse
        """;

    /// <summary>A line for each file with its kind, mode, owner, size and time; where links lead; the sum of all contents.</summary>
    private const string Tell = """
        cd "$1" || exit
        find . ! -type d -exec stat -c '%n|%f|%u|%g|%h|%s|%Y' {} + | sort
        find . -type d -exec stat -c '%n|%f|%u|%g|%h' {} + | sort
        find . -type l -print0 | sort -z | xargs -0 -n 1 readlink
        find . -type f -print0 | sort -z | xargs -0 cat | md5sum
        """;

    public SharedTree(string name)
    {
        Folder = Directory.CreateDirectory(TestHost.NewDiskPath(name)).FullName;
        File.WriteAllText(Path.Combine(Folder, "make.sh"), Make + "\n");
        File.WriteAllText(Path.Combine(Folder, "tell.sh"), Tell + "\n");
    }

    public string Folder { get; }

    public string PathOf(string name) => Path.Combine(Folder, name);

    public void MakeOnHost(string name) => Command.Check("sh", PathOf("make.sh"), PathOf(name));

    public string TellOnHost(string name)
    {
        Command.Result told = Command.Run(TimeSpan.FromSeconds(60) * TestHost.Patience, "env", "LC_ALL=C", "sh", PathOf("tell.sh"), PathOf(name));
        return told.ExitCode == 0 ? told.Output : throw new InvalidOperationException(told.ToString());
    }
}
