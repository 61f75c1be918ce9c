using System;
using System.Collections.Generic;
using System.Threading;
using Strato.Protocol.Configuration;

namespace Strato.Client;

/// <summary>Everything a cmdlet does, without PowerShell. The outline of the library begins here.</summary>
/// <remarks>
/// <para>Make one with <see cref="FromEnvironment"/> per cmdlet invocation: it is cheap, touches no file, keeps no connection, and may be
/// used from several threads. All methods are synchronous; those that can take a while have a token, and cancelling it ends them at
/// once with <see cref="OperationCanceledException"/>. Every other failure on purpose is a <see cref="StratoException"/> with a stable
/// id, a kind (for the ErrorCategory) and, where there is one, a recommended action.</para>
/// <para>VMs are named by id in this interface: a cmdlet turns names into definitions with <see cref="Find"/> or <see cref="Get"/> first.
/// Paths are absolute; whoever knows the user's location resolves them.</para>
/// <list type="table">
/// <item><term>store</term><description><see cref="List"/>, <see cref="Find"/>, <see cref="Get"/>, <see cref="GetById"/>, <see cref="Create"/>, <see cref="Import"/>, <see cref="Apply"/>, <see cref="Copy"/>, <see cref="Update"/>, <see cref="Delete"/></description></item>
/// <item><term>drives</term><description><see cref="AddDrive"/>, <see cref="RemoveDrive"/>; reading is <see cref="VmDefinition.Drives"/></description></item>
/// <item><term>snapshot</term><description><see cref="Snapshot(string, CancellationToken)"/>, <see cref="Snapshot(IReadOnlyList{VmDefinition}, CancellationToken)"/></description></item>
/// <item><term>measuring</term><description><see cref="Measure"/></description></item>
/// <item><term>life</term><description><see cref="Start"/>, <see cref="Stop"/>, <see cref="Suspend"/>, <see cref="Resume"/>, <see cref="Restart"/>, <see cref="Wait"/></description></item>
/// <item><term>console</term><description><see cref="OpenConsole(string, ConsoleStart, CancellationToken)"/> (follow), <see cref="TailConsole"/>, <see cref="SendConsole"/>, <see cref="EnterConsole"/></description></item>
/// <item><term>guest</term><description><see cref="InvokeGuest"/>, <see cref="GetGuestInfo"/>, <see cref="CopyToGuest"/>, <see cref="CopyFromGuest"/></description></item>
/// <item><term>QMP</term><description><see cref="InvokeQmp"/>, <see cref="OpenQmp"/></description></item>
/// <item><term>host</term><description><see cref="GetHost"/></description></item>
/// </list>
/// </remarks>
public sealed partial class StratoClient
{
    /// <summary>The command line of a VM that was given none: console on ttyS0, reset on panic.</summary>
    public const string DefaultCommandLine = "console=ttyS0 reboot=k panic=-1";

    /// <summary>Memory of a VM that was given none, bytes.</summary>
    public const long DefaultMemory = 512L << 20;

    /// <summary>Least memory of a VM, bytes.</summary>
    public const long MinimumMemory = 256L << 20;

    /// <summary>Most memory of a VM, bytes.</summary>
    public const long MaximumMemory = 512L << 30;

    /// <summary>Most virtual CPUs of a VM.</summary>
    public const int MaximumCpu = 254;

    /// <summary>Most drives of a microVM.</summary>
    public const int MaximumDrives = 6;

    /// <summary>Names of the CPU features that can be given to guests or kept from them.</summary>
    public static IReadOnlyList<string> CpuFeatures
    {
        get
        {
            List<string> names = [];
            foreach (CpuFeature feature in CpuFeature.All)
            {
                names.Add(feature.Name);
            }

            return names;
        }
    }

    /// <param name="paths">Where state and sockets lie.</param>
    /// <param name="enginePath">The engine to use; null searches <c>$STRATO_ENGINE</c>, the module's bin folder, a development tree and PATH.</param>
    public StratoClient(StratoPaths paths, string? enginePath = null)
    {
        Paths = paths;
        _enginePath = enginePath;
    }

    private readonly string? _enginePath;

    public StratoPaths Paths { get; }

    /// <summary>A client as the environment asks for at this moment.</summary>
    public static StratoClient FromEnvironment() => new(StratoPaths.FromEnvironment());
}
