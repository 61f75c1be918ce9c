using System;
using System.Collections.Generic;
using System.Threading;
using Strato.Client.Store;
using Strato.Protocol.Configuration;

namespace Strato.Client;

/// <remarks>Devices that a VM has one of. Each method works on a stopped VM: else it is <c>VmRunning</c>.</remarks>
public sealed partial class StratoClient
{
    /// <summary>Lets host and guest open sockets to each other. Errors: <c>VsockExists</c>, <c>OutOfRange</c>.</summary>
    /// <param name="id">The VM.</param>
    /// <param name="guestCid">The guest's address; null for the first that no VM of the store has.</param>
    /// <param name="token">Ends the wait for the VM's lock.</param>
    public void AddVsock(string id, long? guestCid, CancellationToken token = default)
    {
        if (guestCid is { } given)
        {
            DeviceRules.CheckVsock(new() { GuestCid = given });
        }

        Change(
            id,
            "Its vsock",
            before => before.Vsock is null ? before with { Vsock = new() { GuestCid = guestCid ?? FreeCid() } } : throw Exists(before, "Vsock", "a vsock"),
            token,
            unique: guestCid is null);
    }

    /// <summary>Changes the guest's address. Errors: <c>VsockNotFound</c>, <c>OutOfRange</c>.</summary>
    public void SetVsock(string id, long guestCid, CancellationToken token = default) => Change(
        id,
        "Its vsock",
        before =>
        {
            VsockDefinition vsock = (before.Vsock ?? throw Missing(before, "Vsock", "vsock")) with { GuestCid = guestCid };
            DeviceRules.CheckVsock(vsock);
            return before with { Vsock = vsock };
        },
        token);

    /// <summary>Takes the vsock away. Error: <c>VsockNotFound</c>.</summary>
    public void RemoveVsock(string id, CancellationToken token = default) => Change(
        id, "Its vsock", before => before.Vsock is null ? throw Missing(before, "Vsock", "vsock") : before with { Vsock = null }, token);

    /// <summary>Gives the guest random bytes of the host. Errors: <c>RngExists</c>, <c>RngSourceNotFound</c>, <c>OutOfRange</c>.</summary>
    public void AddRng(string id, RngChange settings, CancellationToken token = default)
    {
        RngDefinition rng = With(new RngDefinition(), settings);
        DeviceRules.CheckRng(rng);
        Change(id, "Its rng", before => before.Rng is null ? before with { Rng = rng } : throw Exists(before, "Rng", "an rng"), token);
    }

    /// <summary>Changes where random bytes come from, and how many. Errors: <c>RngNotFound</c>, <c>RngSourceNotFound</c>, <c>OutOfRange</c>.</summary>
    public void SetRng(string id, RngChange change, CancellationToken token = default) => Change(
        id,
        "Its rng",
        before =>
        {
            RngDefinition rng = With(before.Rng ?? throw Missing(before, "Rng", "rng"), change);
            DeviceRules.CheckRng(rng);
            return before with { Rng = rng };
        },
        token);

    /// <summary>Takes the source of random bytes away. Error: <c>RngNotFound</c>.</summary>
    public void RemoveRng(string id, CancellationToken token = default) => Change(
        id, "Its rng", before => before.Rng is null ? throw Missing(before, "Rng", "rng") : before with { Rng = null }, token);

    /// <summary>Lets the guest give memory back. Error: <c>BalloonExists</c>.</summary>
    public void AddBalloon(string id, BalloonChange settings, CancellationToken token = default) => Change(
        id,
        "Its balloon",
        before =>
        {
            if (before.Balloon is not null)
            {
                throw Exists(before, "Balloon", "a balloon");
            }

            VmDefinition after = before with { Balloon = With(new BalloonDefinition(), settings) };
            CheckHugePages(after);
            return after;
        },
        token);

    /// <summary>Changes what the balloon does by itself. Error: <c>BalloonNotFound</c>.</summary>
    public void SetBalloon(string id, BalloonChange change, CancellationToken token = default) => Change(
        id, "Its balloon, but for the target,", before => before with { Balloon = With(before.Balloon ?? throw Missing(before, "Balloon", "balloon"), change) }, token);

    /// <summary>Takes the balloon away. Error: <c>BalloonNotFound</c>.</summary>
    public void RemoveBalloon(string id, CancellationToken token = default) => Change(
        id, "Its balloon", before => before.Balloon is null ? throw Missing(before, "Balloon", "balloon") : before with { Balloon = null }, token);

    /// <summary>Changes a stopped VM.</summary>
    private void Change(string id, string what, Func<VmDefinition, VmDefinition> change, CancellationToken token, bool unique = false) => Store.Update(
        id,
        rename: unique,
        before =>
        {
            RefuseRunning(before, what);
            return change(before);
        },
        token);

    private static RngDefinition With(RngDefinition rng, RngChange change) => rng with
    {
        Source = change.Source ?? rng.Source,
        MaxBytes = change.MaxBytes ?? rng.MaxBytes,
        Period = change.Period ?? rng.Period,
    };

    private static BalloonDefinition With(BalloonDefinition balloon, BalloonChange change) => balloon with
    {
        DeflateOnOom = change.DeflateOnOom ?? balloon.DeflateOnOom,
        FreePageReporting = change.FreePageReporting ?? balloon.FreePageReporting,
    };

    /// <summary>The first that no VM has: under the lock of names, lest another takes it too.</summary>
    private long FreeCid()
    {
        HashSet<long> taken = [];
        foreach (VmDefinition vm in Store.List().Definitions)
        {
            if (vm.Vsock is { } vsock)
            {
                taken.Add(vsock.GuestCid);
            }
        }

        long cid = VsockConfiguration.MinCid;
        while (taken.Contains(cid))
        {
            cid++;
        }

        return cid;
    }

    private static StratoException Exists(VmDefinition vm, string noun, string what) =>
        new(StratoErrorKind.AlreadyExists, $"{noun}Exists", $"The VM '{vm.Name}' has {what} already; a VM has one at most.")
        {
            VmName = vm.Name,
            RecommendedAction = $"Set-Strato{noun} changes it.",
        };

    private static StratoException Missing(VmDefinition vm, string noun, string what) =>
        new(StratoErrorKind.NotFound, $"{noun}NotFound", $"The VM '{vm.Name}' has no {what}.")
        {
            VmName = vm.Name,
            RecommendedAction = $"Add-Strato{noun} gives a stopped VM one.",
        };
}
