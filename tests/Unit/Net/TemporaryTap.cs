using System;
using Strato.Engine.Linux;
using Xunit;

namespace Strato.Tests.Unit.Net;

/// <summary>A program that another test starts holds this process's taps until it has begun, so a tap just closed may be in use still: tests of taps run alone.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class TapCollection
{
    public const string Name = "taps";
}

/// <summary>A tap of the host that lasts for a test; the test is skipped where there can be none.</summary>
internal sealed class TemporaryTap : IDisposable
{
    private const uint TUNSETPERSIST = 0x400454cb;
    private const uint TUNGETSNDBUF = 0x800454d3;
    private const ushort Flags = Libc.IFF_TAP | Libc.IFF_NO_PI | Libc.IFF_VNET_HDR;

    /// <param name="more">Flags beside the usual.</param>
    public TemporaryTap(ushort more = 0)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root for a tap");
        Name = $"stx{Guid.NewGuid():n}"[..12];
        using FileDescriptor file = Open();
        Assert.SkipUnless(!file.IsInvalid && Libc.SetTapInterface(file.Value, Name, (ushort)(Flags | more)) == 0, "no taps here");
        Assert.Equal(0, Libc.ioctl(file.Value, TUNSETPERSIST, 1));
    }

    public string Name { get; }

    /// <summary>A descriptor that isn't bound to a tap yet.</summary>
    public static FileDescriptor Open() => new(Libc.Open("/dev/net/tun", Libc.O_RDWR | Libc.O_NONBLOCK));

    /// <summary>A descriptor of the tap, in use as long as it is open.</summary>
    public FileDescriptor Attach(ushort flags = Flags)
    {
        FileDescriptor file = Open();
        Assert.Equal(0, Libc.SetTapInterface(file.Value, Name, flags));
        return file;
    }

    /// <summary>Bytes that may be under way from an open tap.</summary>
    public static unsafe int SendBuffer(int fd)
    {
        int bytes;
        Assert.Equal(0, Libc.ioctl(fd, TUNGETSNDBUF, &bytes));
        return bytes;
    }

    /// <summary>Deletes the interface as 'ip link del' does, whoever uses it.</summary>
    public void Delete() => Ip("link", "del", Name);

    public void Dispose()
    {
        if (Libc.HasInterface(Name))
        {
            Delete();
        }
    }

    public static void Ip(params string[] arguments)
    {
        using System.Diagnostics.Process process = System.Diagnostics.Process.Start("ip", arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
