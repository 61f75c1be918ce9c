using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Threading;
using Xunit;

namespace Strato.Tests.Guest.Harness;

/// <summary>Where the tests run: the published engine, the guest images, room for files, and whether KVM runs guests here.</summary>
internal static class TestHost
{
    private static readonly Lazy<Verdict> ProbeResult = new(Probe);
    private static readonly Lazy<string> RootBase = new(CopyRootBase);
    private static int _count;

    /// <summary>Marks, in its environment, every process that this run starts.</summary>
    public static string RunMark { get; } = $"STRATO_TEST_RUN={Guid.NewGuid():N}";

    public static string Repository { get; } = FindRepository();

    public static string Engine { get; } =
        Environment.GetEnvironmentVariable("STRATO_ENGINE") is { Length: > 0 } given ? given : Path.Combine(Repository, "out/Strato/bin/strato-engine");

    /// <summary>Whether repetitions are wanted too.</summary>
    public static bool Long { get; } = Environment.GetEnvironmentVariable("STRATO_LONG") == "1";

    /// <summary>Whether this is the virtual KVM host, whose KVM runs guests whatever a probe on a busy machine says.</summary>
    public static bool InVirtualHost { get; } = Environment.GetEnvironmentVariable("STRATO_IN_LAB") == "virtual";

    /// <summary>Factor of all time limits in guests.</summary>
    public static double Patience { get; } = double.TryParse(Environment.GetEnvironmentVariable("STRATO_PATIENCE"), CultureInfo.InvariantCulture, out double factor) ? factor : 1;

    /// <summary>A folder for this run's small files. Its name is short, for a socket's path has 107 bytes at most.</summary>
    public static string Folder { get; } = Directory.CreateTempSubdirectory("strato-guest-").FullName;

    public static string CloudKernel => Image("vmlinuz");

    public static string CloudInitrd => Image("initrd.img");

    public static string ElfKernel => Image("vmlinux");

    public static string GenericKernel => Image("generic/vmlinuz");

    public static string GenericInitrd => Image("generic/initrd.img");

    /// <summary>A root file system of Debian's packages (<c>./build.sh guest debian</c>).</summary>
    public static string DebianRoot => Image("debian.ext4");

    /// <summary>A kernel without ACPI, as ELF (<c>./build.sh guest no-acpi</c>).</summary>
    public static string NoAcpiElfKernel => Image("no-acpi/vmlinux");

    /// <summary>The same as bzImage.</summary>
    public static string NoAcpiKernel => Image("no-acpi/vmlinuz");

    /// <summary>The program that shares folders; null where there is none.</summary>
    public static string? Virtiofsd { get; } = Array.Find(["/usr/libexec/virtiofsd", "/usr/lib/virtiofsd", "/usr/lib/qemu/virtiofsd"], File.Exists);

    /// <summary>A file system with room for disk images; the lab's XFS copies them by reference.</summary>
    private static string Scratch { get; } = MakeScratch();

    /// <summary>What <c>strato-engine -probe</c> said.</summary>
    internal sealed record Verdict(int ExitCode, string Line);

    public static Verdict Kvm => ProbeResult.Value;

    /// <summary>Skips the test where there is no engine.</summary>
    public static void RequireEngine() =>
        Assert.SkipUnless(File.Exists(Engine), $"{Engine} is missing (./build.sh build)");

    /// <summary>Skips the test where there is no engine, or no KVM at all; one that only emulates will do.</summary>
    public static void RequireKvm()
    {
        RequireEngine();
        Assert.SkipUnless(Kvm.ExitCode is 0 or 10, $"no KVM at all: {Kvm.Line}");
    }

    /// <summary>Skips the test where guests can't run; in the virtual KVM host they can, and a test there fails if they don't.</summary>
    public static void RequireGuests()
    {
        RequireEngine();
        if (InVirtualHost)
        {
            Assert.True(Kvm.ExitCode is 0 or 10, $"no KVM in the virtual KVM host: {Kvm.Line}");
        }
        else
        {
            Assert.SkipUnless(Kvm.ExitCode == 0, $"KVM isn't usable here: {Kvm.Line}");
        }

        Assert.SkipUnless(File.Exists(CloudKernel), $"{CloudKernel} is missing (./build.sh guest)");
    }

    /// <summary>Skips a repetition that isn't asked for.</summary>
    public static void RequireLong() => Assert.SkipUnless(Long, "a repetition (STRATO_LONG=1)");

    /// <summary>A path of its own in <see cref="Folder"/>.</summary>
    public static string NewPath(string name) => Path.Combine(Folder, Number() + name);

    /// <summary>A path of its own for a disk image.</summary>
    public static string NewDiskPath(string name) => Path.Combine(Scratch, Number() + name);

    /// <summary>A disk of <paramref name="bytes"/> zeros.</summary>
    public static string NewDisk(string name, long bytes)
    {
        string path = NewDiskPath(name);
        using FileStream file = new(path, FileMode.CreateNew);
        file.SetLength(bytes);
        return path;
    }

    /// <summary>A copy of the Debian guest's root file system.</summary>
    public static string NewRoot()
    {
        string path = NewDiskPath("root.ext4");
        Command.Check("cp", "--reflink=auto", "--sparse=always", RootBase.Value, path);
        return path;
    }

    /// <summary>Removes what the run made.</summary>
    public static void Clean()
    {
        Directory.Delete(Folder, recursive: true);
        Directory.Delete(Scratch, recursive: true);
    }

    /// <summary>The words of a process, whose folder in /proc is given; empty where it has ended.</summary>
    public static string CommandLineOf(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline")).Replace('\0', ' ');
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private static string Number() => Interlocked.Increment(ref _count).ToString(CultureInfo.InvariantCulture);

    private static string Image(string name) => Path.Combine(Repository, "out/guest", name);

    private static Verdict Probe()
    {
        Command.Result result = Command.Run(DebianGuest.Limit, Engine, "-probe");
        return new Verdict(result.ExitCode, result.Output.Trim());
    }

    private static string CopyRootBase()
    {
        string path = Path.Combine(Scratch, "base.ext4");
        Command.Check("cp", "--sparse=always", Image("rootfs.ext4"), path);
        return path;
    }

    private static string MakeScratch()
    {
        string? given = Environment.GetEnvironmentVariable("STRATO_SCRATCH");
        string parent = given is null ? Path.Combine(Repository, "out")
            : Directory.Exists(Path.Combine(given, "xfs")) ? Path.Combine(given, "xfs")
            : given;
        return Directory.CreateDirectory(Path.Combine(parent, $"guest-tests-{Environment.ProcessId}")).FullName;
    }

    private static string FindRepository()
    {
        for (string? folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "Strato.slnx")))
            {
                return folder;
            }
        }

        throw new UnreachableException("the tests run from out/build of the repository");
    }
}
