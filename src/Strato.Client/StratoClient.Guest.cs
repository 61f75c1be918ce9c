using System;
using System.Collections.Generic;
using System.Threading;
using Strato.Client.Guest;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Strato.Client.Store;

namespace Strato.Client;

/// <remarks>
/// What the QEMU guest agent does, on the console port <c>org.qemu.guest_agent.0</c> (<c>-GuestAgent</c>). Errors of each: <c>VmNotRunning</c>,
/// <c>GuestAgentNotFound</c> (the VM has no such port), <c>GuestAgentTimeout</c> (nobody answers), <c>GuestAgentBusy</c> (others use it), <c>GuestAgentDisconnected</c>, <c>GuestAgentProtocol</c>,
/// <c>GuestCommandUnavailable</c> (the agent doesn't know what is needed, or was told not to do it), <c>VmEnded</c>.
/// </remarks>
public sealed partial class StratoClient
{
    private static readonly TimeSpan FirstLook = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LastLook = TimeSpan.FromSeconds(2);

    /// <summary>Runs a program in a guest and waits for its end. Errors: <c>GuestCommandNotStarted</c>, <c>GuestCommandTimeout</c>, <c>GuestInputTooLarge</c>, <c>InvalidEnvironment</c>.</summary>
    /// <remarks>A program that is still running when its time is over, or when the token is cancelled, is sent SIGTERM.</remarks>
    public GuestCommandOutcome InvokeGuest(string id, GuestCommand command, CancellationToken token = default)
    {
        using AgentSession agent = OpenAgent(id, command.Timeout, token);
        return GuestExec.Run(agent, command);
    }

    /// <summary>What the agent tells of its guest. Of one without an agent, or whose agent doesn't answer: name and addresses, where a switch has given it some.</summary>
    /// <param name="id">The VM.</param>
    /// <param name="timeout">For all answers together; null for the agent's own limits.</param>
    /// <param name="token">Ends the wait.</param>
    public GuestDetails GetGuestInfo(string id, TimeSpan? timeout = null, CancellationToken token = default)
    {
        try
        {
            using AgentSession agent = OpenAgent(id, timeout, token);
            return GuestFacts.Read(agent, Deadline.After(timeout));
        }
        catch (StratoException e) when (e.Id is "GuestAgentNotFound" or "GuestAgentTimeout")
        {
            VmDefinition vm = GetById(id);
            using EngineProcess? process = Registry.TryOpen(id);
            if (process is not null && Leased(vm, process.Run, Served(vm)) is { } known)
            {
                return known;
            }

            throw;
        }
    }

    /// <summary>Copies a file into a guest. Errors: <c>GuestFileExists</c>, <c>GuestFileNotFound</c> (the folder), <c>GuestFilePermission</c>, <c>GuestFileFailed</c>, and those of reading the file here.</summary>
    /// <param name="id">The VM.</param>
    /// <param name="source">Absolute path here.</param>
    /// <param name="destination">Absolute path in the guest, of the file or of a folder.</param>
    /// <param name="options">How.</param>
    /// <param name="token">Ends it; what was written so far is removed.</param>
    public void CopyToGuest(string id, string source, string destination, GuestCopyOptions? options = null, CancellationToken token = default)
    {
        CheckGuestPath(destination, "-Destination");
        VmRules.CheckFile(source, "file", "File", "-Path");
        using AgentSession agent = OpenAgent(id, null, token);
        GuestFiles.CopyTo(agent, source, destination, options ?? new());
    }

    /// <summary>Copies a file from a guest. Errors: <c>FileExists</c>, <c>GuestFileNotFound</c>, <c>GuestFilePermission</c>, <c>GuestFileFailed</c>, and those of writing the file here.</summary>
    /// <param name="id">The VM.</param>
    /// <param name="source">Absolute path in the guest.</param>
    /// <param name="destination">Absolute path here, of the file or of a folder.</param>
    /// <param name="options">How.</param>
    /// <param name="token">Ends it; what was written so far is removed.</param>
    public void CopyFromGuest(string id, string source, string destination, GuestCopyOptions? options = null, CancellationToken token = default)
    {
        CheckGuestPath(source, "-Path");
        using AgentSession agent = OpenAgent(id, null, token);
        GuestFiles.CopyFrom(agent, source, destination, options ?? new());
    }

    /// <summary>Whether others can reach a guest at that address: none of loopback, and none of a link alone (169.254.0.0/16, fe80::/10).</summary>
    public static bool IsReachable(string address) => GuestFacts.IsReachable(address);

    private static void CheckGuestPath(string path, string where)
    {
        if (!path.StartsWith('/') || path.Contains('\0', StringComparison.Ordinal))
        {
            throw new StratoException(StratoErrorKind.InvalidArgument, "InvalidGuestPath", $"'{path}' is no absolute path of a guest.") { Where = where };
        }
    }

    private AgentSession OpenAgent(string id, TimeSpan? limit, CancellationToken token)
    {
        VmDefinition vm = GetById(id);
        EngineProcess process = OpenReady(id, limit, token);
        return OpenAgent(vm, process, token);
    }

    /// <summary>A session with the agent of a VM that runs; it owns the process from here on.</summary>
    private AgentSession OpenAgent(VmDefinition vm, EngineProcess process, CancellationToken token)
    {
        try
        {
            foreach (ConsolePortDefinition port in vm.ConsolePorts)
            {
                if (port.IsGuestAgent)
                {
                    RuntimeFolder.Check(process.Run.Runtime);
                    RunRecord run = process.Run;
                    return new AgentSession(process, vm.Name, DeviceArguments.PathOf(port, run.Runtime), () => Registry.WhyEnded(vm.Id, run), token);
                }
            }

            throw new StratoException(StratoErrorKind.NotFound, "GuestAgentNotFound", $"The VM '{vm.Name}' has no port for a guest agent.")
            {
                VmName = vm.Name,
                RecommendedAction = $"Stop-StratoVm '{vm.Name}'; Set-StratoVm '{vm.Name}' -GuestAgent gives it one.",
            };
        }
        catch
        {
            process.Dispose();
            throw;
        }
    }

    /// <summary>Waits until the guest's agent answers; with <see cref="WaitTarget.IPAddress"/> until it tells of an address, too, or a switch has given one.</summary>
    private void WaitForGuest(VmDefinition vm, WaitTarget target, WaitOptions options, Deadline deadline, CancellationToken token)
    {
        EngineProcess process = WaitUntilReady(vm, options.Timeout, token) ?? throw NotRunning(vm.Name, Registry.WhyStopped(vm.Id));
        List<(NetworkAdapterDefinition Adapter, SwitchDefinition Switch)> served = target == WaitTarget.IPAddress ? Served(vm) : [];
        if (served.Count > 0 && !vm.GuestAgent)
        {
            using (process)
            {
                WaitForLease(vm, process, served, options, deadline, token);
                return;
            }
        }

        using AgentSession agent = OpenAgent(vm, process, token);
        RunRecord run = process.Run;
        TimeSpan pause = FirstLook;
        while (true)
        {
            try
            {
                if (served.Count > 0 && Leased(vm, run, served) is not null)
                {
                    return;
                }

                // An agent may never come where a lease does.
                agent.Open(served.Count > 0 ? LastLook : null, deadline);
                if (target == WaitTarget.GuestAgent || GuestFacts.HasAddress(agent, deadline))
                {
                    return;
                }
            }
            catch (StratoException e) when (e.Id is "GuestAgentTimeout" or "GuestAgentBusy")
            {
                if (deadline.Passed)
                {
                    throw TimedOut(vm, target == WaitTarget.GuestAgent ? "answered for by a guest agent" : "known to have an address (its guest agent didn't answer)", options.Timeout);
                }
            }
            catch (StratoException e) when (e.Id is "GuestAgentProtocol" or "GuestAgentDisconnected" && !deadline.Passed)
            {
                // A guest that boots may put anything into the port; it has until the deadline to do better.
            }

            // No event tells that a guest has an address: others have their turn, then the agent is asked again.
            agent.Release();
            agent.Pause(pause, deadline);
            if (deadline.Passed)
            {
                throw TimedOut(vm, target == WaitTarget.GuestAgent ? "answered for by a guest agent" : "known to have an address", options.Timeout);
            }

            pause = pause * 1.5 < LastLook ? pause * 1.5 : LastLook;
        }
    }
}
