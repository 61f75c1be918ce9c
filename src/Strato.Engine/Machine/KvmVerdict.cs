using Strato.Engine.Kvm;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Protocol;

namespace Strato.Engine.Machine;

/// <summary>Whether this host can run a stock guest, and why not.</summary>
/// <param name="Verdict"><c>usable</c>, <c>emulated</c>, <c>no-permission</c> or <c>absent</c>.</param>
/// <param name="Reason">One sentence for a person, with what to do where something can be done.</param>
/// <param name="Mips">Million guest instructions a second, where a guest ran.</param>
internal readonly record struct KvmVerdict(string Verdict, string Reason, double? Mips)
{
    public const string Usable = "usable";
    public const string Emulated = "emulated";
    public const string NoPermission = "no-permission";
    public const string Absent = "absent";

    /// <summary>The verdict for a /dev/kvm that could not be opened.</summary>
    public static KvmVerdict OfOpenError(LinuxException error) => error.Errno switch
    {
        Errno.EACCES or Errno.EPERM => new(
            NoPermission,
            $"{KvmSystem.Path} may not be opened by this user; join the group that owns it (usermod -aG kvm USER, then log in again) or run as root.",
            null),
        Errno.ENOSYS => new(Absent, $"{error.Message}; this kernel's KVM is too old or too new for the engine.", null),
        _ => new(
            Absent,
            $"{KvmSystem.Path} can't be opened ({Errno.Text(error.Errno)}); enable virtualization in the firmware and load the module kvm_intel or kvm_amd, or, in a virtual machine, enable nested virtualization on its host.",
            null),
    };

    /// <summary>The verdict for a measured speed.</summary>
    public static KvmVerdict OfSpeed(SpeedCheck.Result speed) => speed switch
    {
        { Failure: { } failure } => new(Emulated, $"{KvmSystem.Path} is there, but a 64-bit guest does not run on it: {failure}.", null),
        { Mips: < SpeedCheck.UsableMips } => new(
            Emulated,
            $"{KvmSystem.Path} is there, but emulates guests at {speed.Mips:0.0} million instructions a second, too slow for a stock kernel (at least {SpeedCheck.UsableMips:0} are needed); use a host whose KVM runs on the processor.",
            speed.Mips),
        _ => new(Usable, $"KVM runs guests on the processor ({speed.Mips:0} million instructions a second measured).", speed.Mips),
    };

    /// <summary>The error of a VM that is started on a host with this verdict.</summary>
    public UserErrorException ToError() => new(
        Verdict switch { NoPermission => "KvmNoPermission", Absent => "KvmUnavailable", _ => "KvmEmulated" },
        Reason,
        KvmSystem.Path)
    {
        Advice = Verdict == Emulated ? "-force tries all the same" : null,
    };

    /// <summary>Looks at this host with a small VM of its own.</summary>
    /// <param name="system">The host's KVM.</param>
    /// <param name="firstRunAt">Timestamp (Stopwatch) of the first KVM_RUN; null when it didn't come to that.</param>
    public static KvmVerdict Measure(KvmSystem system, out long? firstRunAt)
    {
        firstRunAt = null;
        try
        {
            using GuestMemory memory = GuestMemory.Allocate([(0, 2 << 20)]);
            using KvmVm vm = system.CreateVm();
            // Room that Intel's processors need for real mode; the address is of no matter, as long as no RAM is there.
            vm.SetIdentityMapAddress(0xFEF0_C000);
            vm.SetTssAddress(0xFEF0_D000);
            vm.SetMemoryRegion(0, 0, memory.Size, memory.Regions[0].HostAddress);
            using KvmVcpu vcpu = vm.CreateVcpu(0);
            vcpu.SetCpuid(system.GetSupportedCpuid());
            SpeedCheck.Result speed = SpeedCheck.Measure(vcpu, memory);
            firstRunAt = speed.FirstRunAt;
            return OfSpeed(speed);
        }
        catch (LinuxException error)
        {
            return new KvmVerdict(Emulated, $"{KvmSystem.Path} is there, but a VM can't be made on it: {error.Message}.", null);
        }
    }
}
