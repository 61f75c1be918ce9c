using Strato.Engine.Kvm;
using Strato.Engine.Linux;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Machine;

/// <summary>The guest's clock (kvmclock) of a machine that stands still, and when that was.</summary>
/// <param name="Nanoseconds">What it reads.</param>
/// <param name="StoppedAt">The host's time then, in nanoseconds since 1970.</param>
internal readonly record struct GuestClock(ulong Nanoseconds, ulong StoppedAt)
{
    public const string SectionName = "clock";

    /// <exception cref="LinuxException">The host refuses.</exception>
    public static GuestClock Read(KvmVm vm) => new(vm.GetClock(), Libc.RealTimeNanoseconds());

    /// <exception cref="Strato.Protocol.UserErrorException">SnapshotDamaged, SnapshotVersion.</exception>
    public static GuestClock Parse(StateFile state)
    {
        StateReader reader = state.Require(SectionName).Read();
        GuestClock clock = new(reader.U64(), reader.U64());
        reader.End();
        return clock;
    }

    public SnapshotSection ToSection()
    {
        StateWriter writer = new();
        writer.U64(Nanoseconds);
        writer.U64(StoppedAt);
        return writer.ToSection(SectionName);
    }

    /// <summary>What it would read now, had it not stopped. It never goes back, also where this host's time is before the other's.</summary>
    public ulong WithLostTime() => Nanoseconds + (Libc.RealTimeNanoseconds() is var now && now > StoppedAt ? now - StoppedAt : 0);
}
