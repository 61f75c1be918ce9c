using System;
using Strato.Engine.Linux;

namespace Strato.Engine.Kvm;

/// <summary>/dev/kvm: what the host's kernel can do, and the maker of VMs.</summary>
internal sealed unsafe class KvmSystem : IDisposable
{
    /// <summary>Where the kernel's KVM is reached.</summary>
    public const string Path = "/dev/kvm";

    private readonly FileDescriptor _kvm;

    private KvmSystem(FileDescriptor kvm)
    {
        _kvm = kvm;
        VcpuMapSize = Libc.ioctl(kvm.Value, KvmAbi.KVM_GET_VCPU_MMAP_SIZE, 0);
    }

    /// <summary>Bytes of a vCPU's shared map: struct kvm_run and what follows it.</summary>
    public int VcpuMapSize { get; }

    /// <summary>Opens /dev/kvm.</summary>
    /// <exception cref="LinuxException">It is absent (ENOENT, ENODEV, ENXIO), forbidden (EACCES, EPERM) or of another API version (ENOSYS).</exception>
    public static KvmSystem Open()
    {
        int fd = Libc.Open(Path, Libc.O_RDWR);
        if (fd < 0)
        {
            throw LinuxException.Last(Path);
        }

        FileDescriptor kvm = new(fd);
        int version = Libc.ioctl(fd, KvmAbi.KVM_GET_API_VERSION, 0);
        if (version != KvmAbi.KVM_API_VERSION)
        {
            kvm.Dispose();
            throw new LinuxException($"{Path}: API version {version}, need {KvmAbi.KVM_API_VERSION}", Errno.ENOSYS);
        }

        return new KvmSystem(kvm);
    }

    /// <summary>The answer to KVM_CHECK_EXTENSION: 0 for no.</summary>
    public int CheckExtension(int capability) => Libc.ioctl(_kvm.Value, KvmAbi.KVM_CHECK_EXTENSION, capability);

    /// <summary>Makes an empty VM.</summary>
    public KvmVm CreateVm()
    {
        int fd;
        do
        {
            fd = Libc.ioctl(_kvm.Value, KvmAbi.KVM_CREATE_VM, 0);
        }
        while (fd < 0 && Errno.Last == Errno.EINTR);
        return fd >= 0 ? new KvmVm(this, new FileDescriptor(fd)) : throw LinuxException.Last("KVM_CREATE_VM");
    }

    /// <summary>CPUID leaves that KVM can give a guest on this host.</summary>
    public KvmCpuidEntry[] GetSupportedCpuid()
    {
        for (int capacity = 128; ; capacity *= 2)
        {
            // struct kvm_cpuid2: nent u32, padding u32, entries.
            byte[] buffer = new byte[8 + (capacity * sizeof(KvmCpuidEntry))];
            fixed (byte* pointer = buffer)
            {
                *(uint*)pointer = (uint)capacity;
                if (Libc.ioctl(_kvm.Value, KvmAbi.KVM_GET_SUPPORTED_CPUID, pointer) == 0)
                {
                    return new ReadOnlySpan<KvmCpuidEntry>(pointer + 8, (int)*(uint*)pointer).ToArray();
                }
            }

            if (Errno.Last != Errno.E2BIG || capacity >= 4096)
            {
                throw LinuxException.Last("KVM_GET_SUPPORTED_CPUID");
            }
        }
    }

    /// <summary>Indices of the MSRs that KVM saves and restores for a guest.</summary>
    public uint[] GetMsrIndexList()
    {
        // struct kvm_msr_list: nmsrs u32, indices u32[].
        uint count = 0;
        _ = Libc.ioctl(_kvm.Value, KvmAbi.KVM_GET_MSR_INDEX_LIST, &count);
        uint[] buffer = new uint[count + 1];
        buffer[0] = count;
        fixed (uint* pointer = buffer)
        {
            if (Libc.ioctl(_kvm.Value, KvmAbi.KVM_GET_MSR_INDEX_LIST, pointer) < 0)
            {
                throw LinuxException.Last("KVM_GET_MSR_INDEX_LIST");
            }
        }

        return buffer[1..];
    }

    public void Dispose() => _kvm.Dispose();
}
