using System;
using System.IO;
using Strato.Client.Linux;

namespace Strato.Client;

/// <summary>Where definitions, logs and sockets lie.</summary>
/// <remarks>
/// <code>
/// StateRoot/names.lock                 held while a name is given
/// StateRoot/vms/ID/vm.json             the definition
///                 /lock                held while the VM is changed, started or removed
///                 /engine.log          what the engine says; engine.log.1, .2 and .3 are of the runs before, or of this one what was before 16 MiB
///                 /console.log         what the guest says; console.log.1 is the boot before, or of this boot what was before the last 64 MiB
///                 /maker.lock          held by the command that an ephemeral VM is there for, until it has run
///                 /run.json            the engine that was started last: pid, start time, boot id, runtime folder
///                 /exit.json           how it ended, where the process that started it saw that
///                 /snapshots/ID/       a snapshot: snapshot.json, state, memory, disks/; snapshots/current is the id of the last one that was saved or restored
///          /switches/ID.json           a switch; switches/lock is held while one is made, removed or taken up
/// StateRoot/images/KEY/                images that were made for commands in fresh VMs; images/kernel is a kernel that was downloaded
/// RuntimeRoot/ID/qmp.sock  console.sock  pid
///                agent.lock            held while the guest's agent is used
///             switch-ID/leases         addresses that dnsmasq gave out; dnsmasq.pid is its number
/// </code>
/// </remarks>
public sealed record StratoPaths
{
    /// <param name="stateRoot">Absolute path.</param>
    /// <param name="runtimeRoot">Absolute path.</param>
    public StratoPaths(string stateRoot, string runtimeRoot)
    {
        StateRoot = Path.TrimEndingDirectorySeparator(Path.GetFullPath(stateRoot));
        RuntimeRoot = Path.TrimEndingDirectorySeparator(Path.GetFullPath(runtimeRoot));
    }

    /// <summary><c>$STRATO_STATE</c>, else /var/lib/strato (root), <c>$XDG_STATE_HOME/strato</c> or ~/.local/state/strato.</summary>
    public string StateRoot { get; }

    /// <summary><c>$STRATO_RUNTIME</c>, else /run/strato (root), <c>$XDG_RUNTIME_DIR/strato</c> or /tmp/strato-UID.</summary>
    public string RuntimeRoot { get; }

    /// <summary>The folder of all definitions.</summary>
    public string VmsDirectory => Path.Combine(StateRoot, "vms");

    /// <summary>The folder of the definitions of switches.</summary>
    public string SwitchesDirectory => Path.Combine(StateRoot, "switches");

    public string VmDirectory(string id) => Path.Combine(VmsDirectory, id);

    public string DefinitionFile(string id) => Path.Combine(VmsDirectory, id, "vm.json");

    public string EngineLog(string id) => Path.Combine(VmsDirectory, id, "engine.log");

    public string ConsoleLog(string id) => Path.Combine(VmsDirectory, id, "console.log");

    /// <summary>The folder of a VM's snapshots.</summary>
    public string SnapshotsDirectory(string id) => Path.Combine(VmsDirectory, id, "snapshots");

    public string RuntimeDirectory(string id) => Path.Combine(RuntimeRoot, id);

    internal string NamesLock => Path.Combine(StateRoot, "names.lock");

    internal string VmLock(string id) => Path.Combine(VmsDirectory, id, "lock");

    internal string MakerLock(string id) => Path.Combine(VmsDirectory, id, MakerLockName);

    internal const string MakerLockName = "maker.lock";

    internal string RunFile(string id) => Path.Combine(VmsDirectory, id, "run.json");

    /// <summary>There while an engine is being started that <see cref="RunFile"/> doesn't tell of yet; in it stands the folder of its sockets.</summary>
    internal string LaunchFile(string id) => Path.Combine(VmsDirectory, id, "launch");

    internal string ExitFile(string id) => Path.Combine(VmsDirectory, id, "exit.json");

    /// <summary>The paths that the environment asks for at this moment.</summary>
    public static StratoPaths FromEnvironment() => From(Environment.GetEnvironmentVariable, (int)Libc.geteuid(), SystemFacts.LogoutEmptiesRuntimeDirectory);

    /// <param name="variable">Reads an environment variable.</param>
    /// <param name="uid">Effective user id.</param>
    /// <param name="losesOnLogout">Says of a runtime folder whether a log-out empties it.</param>
    internal static StratoPaths From(Func<string, string?> variable, int uid, Func<string, int, bool> losesOnLogout)
    {
        string? Absolute(string name) => variable(name) is { Length: > 0 } value && Path.IsPathRooted(value) ? value : null;

        string? state = Explicit("STRATO_STATE");
        if (state is null)
        {
            state = uid == 0
                ? "/var/lib/strato"
                : Path.Combine(Absolute("XDG_STATE_HOME") ?? Path.Combine(Home(), ".local/state"), "strato");
        }

        string? runtime = Explicit("STRATO_RUNTIME");
        if (runtime is null)
        {
            if (uid == 0)
            {
                runtime = "/run/strato";
            }
            else
            {
                // A running VM must stay within reach after a log-out; systemd empties /run/user/UID then, unless the user lingers.
                string? xdg = Absolute("XDG_RUNTIME_DIR");
                runtime = xdg is not null && !losesOnLogout(xdg, uid) ? Path.Combine(xdg, "strato") : $"/tmp/strato-{uid}";
            }
        }

        return new StratoPaths(state, runtime);

        string? Explicit(string name)
        {
            string? value = variable(name);
            if (string.IsNullOrEmpty(value))
            {
                return null;
            }

            return Path.IsPathRooted(value)
                ? value
                : throw new StratoException(StratoErrorKind.InvalidArgument, "PathNotAbsolute", $"${name} is '{value}'; it has to be an absolute path.") { Where = name };
        }

        string Home() => Absolute("HOME") ?? throw new StratoException(
            StratoErrorKind.InvalidArgument, "NoHome", "Neither STRATO_STATE, XDG_STATE_HOME nor HOME says where VM definitions are kept.")
        {
            RecommendedAction = "Set STRATO_STATE to an absolute path.",
        };
    }
}
