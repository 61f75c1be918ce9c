using System;
using System.IO;
using System.Linq;
using System.Threading;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Anywhere;

/// <summary>What can be wrong with the host's side of a shared folder, told by the real program; and virtiofsd's end.</summary>
[Trait("Where", "both")]
public sealed class ShareHostTests
{
    private static readonly TimeSpan Limit = DebianGuest.Limit;

    private readonly string _folder = Directory.CreateDirectory(TestHost.NewPath("share")).FullName;

    public ShareHostTests() => TestHost.RequireEngine();

    [Fact]
    public void Memory_that_is_not_shared() =>
        CheckRefused([], "microvm", $"source={_folder}", "MemShareMissing", "which has to be shared with it: -machine microvm,mem-share=on.");

    [Fact]
    public void A_folder_that_is_missing_or_a_file()
    {
        CheckRefused([], $"source={_folder}/none", "SharedFolderPathNotFound", $"fs 't': the folder '{_folder}/none' can't be shared: No such file or directory");
        File.WriteAllText(_folder + "/file", "");
        CheckRefused([], $"source={_folder}/file", "SharedFolderNotFolder", $"fs 't': '{_folder}/file' is no folder");
    }

    [Fact]
    public void A_virtiofsd_that_fails()
    {
        string program = Path.Combine(_folder, "virtiofsd");
        File.WriteAllText(program, "#!/bin/sh\necho no rights for that >&2\nexit 1\n");
        Command.Check("chmod", "+x", program);
        CheckRefused(["env", $"PATH={_folder}:/usr/bin:/bin"], $"source={_folder}", "VirtiofsdFailed", $"fs 't': '{program}' can't serve '{_folder}': exit code 1: no rights for that");
    }

    [Fact]
    public void A_socket_that_nobody_serves()
    {
        string path = TestHost.NewPath("fs");
        using EngineProcess engine = EngineProcess.Start(
            "-force", "-kernel", Payload.Make(PayloadEnd.PowerOff), "-machine", "microvm,mem-share=on", "-chardev", $"socket,id=c,path={path}", "-device", "vhost-user-fs-device,tag=t,chardev=c");
        EngineError error = engine.WaitError();
        Assert.Equal(("VhostUserFailed", "-device chardev"), (error.Id, error.Where));
        Assert.Equal($"fs 't': there is no socket '{path}'; the program that serves it has to run first", error.Message);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Virtiofsd_ends_with_the_engine_however_it_ends(bool killed)
    {
        using EngineProcess engine = Start();
        Assert.True(IsServed());
        if (killed)
        {
            engine.Kill();
        }
        else
        {
            Command.Check("kill", "-TERM", $"{engine.Id}");
            engine.WaitExit(0, Limit);
        }

        // Debian's is two processes; what is killed with the first ends a moment later.
        Assert.True(SpinWait.SpinUntil(() => !IsServed(), Limit), "virtiofsd lives on");
    }

    [Fact]
    public void An_engine_whose_virtiofsd_is_killed_says_so_and_runs_on()
    {
        using EngineProcess engine = Start();
        Command.Check("pkill", "-KILL", "-f", $"^{TestHost.Virtiofsd} .*{_folder}");
        engine.Errors.WaitFor("t: virtiofsd has ended (signal 9)", 0, Limit);
        engine.Errors.WaitFor("t: nobody serves the folder any more; the device waits for a reset", 0, Limit);
        Command.Check("kill", "-TERM", $"{engine.Id}");
        engine.WaitExit(0, Limit);
    }

    /// <summary>An engine whose machine halts for ever, with this test's folder.</summary>
    private EngineProcess Start()
    {
        Assert.SkipWhen(TestHost.Virtiofsd is null || !Environment.IsPrivilegedProcess, "needs root and virtiofsd");
        EngineProcess engine = EngineProcess.Start(
            "-force", "-kernel", Payload.Make(PayloadEnd.Halt), "-serial", "stdio", "-machine", "microvm,mem-share=on", "-device", $"vhost-user-fs-device,tag=t,source={_folder}");
        engine.Output.WaitFor("hello", 0, Limit);
        return engine;
    }

    private bool IsServed() => Directory.EnumerateDirectories("/proc").Select(TestHost.CommandLineOf)
        .Any(line => line.StartsWith(TestHost.Virtiofsd!, StringComparison.Ordinal) && line.Contains(_folder, StringComparison.Ordinal));

    private static void CheckRefused(string[] wrapper, string how, string id, string message) => CheckRefused(wrapper, "microvm,mem-share=on", how, id, message);

    private static void CheckRefused(string[] wrapper, string machine, string how, string id, string message)
    {
        string[] arguments = ["-force", "-kernel", Payload.Make(PayloadEnd.PowerOff), "-machine", machine, "-device", $"vhost-user-fs-device,tag=t,{how}"];
        using EngineProcess engine = EngineProcess.StartBy(wrapper, arguments);
        EngineError error = engine.WaitError();
        Assert.Equal(id, error.Id);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.StartsWith("-device", error.Where, StringComparison.Ordinal);
    }
}
