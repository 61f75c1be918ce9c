using System;
using System.Globalization;
using System.Text.Json;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Qmp;
using Strato.Client.Runtime;

namespace Strato.Client;

public sealed partial class StratoClient
{
    private const long PageBytes = 4096;

    // How often a wait tells that it still waits.
    private static readonly TimeSpan TellInterval = TimeSpan.FromMilliseconds(500);

    // A guest is woken for them so often.
    private const int MemoryFiguresSeconds = 5;

    /// <summary>Bytes of memory that a running VM's guest has now; null when the VM doesn't run. Errors: <c>QmpTimeout</c>, <c>QmpDisconnected</c>.</summary>
    public long? GetBalloonActual(string id, CancellationToken token = default)
    {
        using EngineProcess? process = Registry.TryOpen(id);
        return process is null ? null : Actual(InvokeQmp(id, "query-balloon", token: token));
    }

    /// <summary>Asks a running VM's guest to have so much memory, and doesn't wait for it. Errors: <c>VmNotRunning</c>, <c>BalloonNotFound</c>, <c>InvalidTarget</c>.</summary>
    /// <param name="id">The VM.</param>
    /// <param name="bytes">1 to what the VM is defined with.</param>
    /// <param name="token">Ends the wait for the answer.</param>
    /// <returns>The same in whole pages: what the guest will have.</returns>
    public long SetBalloonTarget(string id, long bytes, CancellationToken token = default)
    {
        VmDefinition vm = GetById(id);
        if (vm.Balloon is null)
        {
            throw Missing(vm, "Balloon", "balloon");
        }

        if (bytes < 1 || bytes > vm.Memory)
        {
            throw new StratoException(StratoErrorKind.InvalidArgument, "InvalidTarget", $"A target of {bytes} bytes is out of range; allowed: 1 to {vm.Memory}, the memory of the VM '{vm.Name}'.")
            {
                Where = "-Target",
                VmName = vm.Name,
            };
        }

        long target = (bytes + PageBytes - 1) / PageBytes * PageBytes;
        using JsonDocument arguments = JsonDocument.Parse(string.Create(CultureInfo.InvariantCulture, $$"""{"value":{{target}}}"""));
        InvokeQmp(id, "balloon", arguments.RootElement, token: token);
        return target;
    }

    /// <summary>Waits, on events, until a running VM's guest has so much memory. Errors: <c>WaitTimeout</c>, <c>VmEnded</c>, <c>VmNotRunning</c>.</summary>
    /// <param name="id">The VM.</param>
    /// <param name="target">As <see cref="SetBalloonTarget"/> gave it.</param>
    /// <param name="timeout">Null waits for ever.</param>
    /// <param name="waiting">Called again and again with the bytes that the guest has.</param>
    /// <param name="token">Ends the wait.</param>
    public void WaitForBalloon(string id, long target, TimeSpan? timeout, Action<long> waiting, CancellationToken token = default)
    {
        VmDefinition vm = GetById(id);
        Deadline deadline = Deadline.After(timeout);
        using QmpConnection qmp = OpenQmp(id, token);
        try
        {
            long actual;
            while ((actual = Actual(qmp.Execute("query-balloon", token: token))) != target)
            {
                waiting(actual);
                while (qmp.ReadEvent(Deadline.After(TellInterval).Sooner(deadline).Remaining, token)?.Name != "BALLOON_CHANGED")
                {
                    if (deadline.Passed)
                    {
                        throw new StratoException(
                            StratoErrorKind.Timeout,
                            "WaitTimeout",
                            string.Create(CultureInfo.InvariantCulture, $"The guest of VM '{vm.Name}' has {actual} bytes of memory after {timeout!.Value.TotalSeconds:0.###} seconds; {target} are asked for, and stay so."))
                        {
                            VmName = vm.Name,
                            RecommendedAction = "A guest without a balloon driver, or without free memory, doesn't follow.",
                        };
                    }

                    waiting(actual);
                }
            }
        }
        catch (StratoException e) when (e.Kind == StratoErrorKind.Connection)
        {
            throw new StratoException(StratoErrorKind.Ended, "VmEnded", $"The VM '{vm.Name}' ended while its guest was to have {target} bytes of memory.", e) { VmName = vm.Name };
        }
    }

    /// <summary>Has the guest tell again and again what it uses of its memory, for <see cref="VmInfo.MemoryDemand"/>.</summary>
    private void AskForMemoryFigures(string id, CancellationToken token)
    {
        using JsonDocument arguments = JsonDocument.Parse(
            string.Create(CultureInfo.InvariantCulture, $$"""{"path":"{{GuestMemory.Path}}","property":"guest-stats-polling-interval","value":{{MemoryFiguresSeconds}}}"""));
        try
        {
            InvokeQmp(id, "qom-set", arguments.RootElement, token: token);
        }
        catch (StratoException)
        {
            // Nobody waits for these figures: what the engine occupies stands in for them.
        }
    }

    private static long Actual(JsonElement answer) => answer.GetProperty("actual").GetInt64();
}
