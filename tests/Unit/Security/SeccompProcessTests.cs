using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Strato.Engine.Linux;
using Strato.Engine.Security;
using Strato.Protocol;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Security;

/// <summary>The filters and the handler of SIGSYS in the kernel, in a small C program: a managed process couldn't live under them, for it compiles its code.</summary>
public sealed class SeccompProcessTests : IDisposable
{
    private const int Process = 4711;

    private readonly TemporaryFile _program = new();
    private readonly TemporaryFile _filter = new();
    private readonly TemporaryFile _stub = new();

    public void Dispose()
    {
        _program.Dispose();
        _filter.Dispose();
        _stub.Dispose();
    }

    [Theory]
    [InlineData("Main", 41, "16 3 0", "0x10, 0x3, 0x0")] // socket(AF_NETLINK)
    [InlineData("Vcpu", 41, "1 1 0", "0x1, 0x1, 0x0")]
    [InlineData("Vcpu", 59, "0 0 0", "0x0, 0x0, 0x0")] // execve
    [InlineData("IoThread", 9, "0 4096 5 0x22", "0x0, 0x1000, 0x5")] // mmap of code
    [InlineData("Worker", 16, "0 0xae80 0", "0x0, 0xae80, 0x0")] // KVM_RUN
    [InlineData("Worker", 0x40000001, "1 0xdeadbeefcafe 0", "0x1, 0xdeadbeefcafe, 0x0")]
    public void AForbiddenCallEndsTheProcessWithItsNumber(string kind, int number, string arguments, string told)
    {
        (int code, string output, string errors) = Call(kind, number, arguments);
        string expected = $" error seccomp: the system call {number} ({told}) is not allowed to thread '{kind} thread'; docs/security.md tells what is, and -disable-seccomp allows all\n";
        Assert.Equal(("", EngineExit.Forbidden), (output, code));
        Assert.Matches("^@[0-9]+ ", errors);
        Assert.Equal(expected, errors[errors.IndexOf(' ', StringComparison.Ordinal)..]);
        Assert.True(EngineLog.IsError(errors.TrimEnd('\n')));
        long time = long.Parse(errors[1..errors.IndexOf(' ', StringComparison.Ordinal)], CultureInfo.InvariantCulture);
        Assert.InRange(DateTimeOffset.UtcNow.ToUnixTimeSeconds() - time, 0, 60);
    }

    [Theory]
    [InlineData("Main", 41, "1 1 0", "3 0\n")] // socket(AF_UNIX)
    [InlineData("Vcpu", 257, "-100 0 0", "-1 13\n")] // openat
    [InlineData("Vcpu", 435, "0 0", "-1 38\n")] // clone3
    [InlineData("IoThread", 24, "", "0 0\n")] // sched_yield
    [InlineData("Worker", 12, "0", "0 0\n")] // brk: as no break ever is
    [InlineData("Main", -1, "0", "0 0\n")] // the C library's heap, which grows without brk
    public void OtherCallsAreMadeOrFail(string kind, int number, string arguments, string result) =>
        Assert.Equal((0, result, ""), Call(kind, number, arguments));

    /// <summary>The line is lost, but neither the end nor its exit code.</summary>
    [Fact]
    public void NobodyHasToReadTheLog() =>
        Assert.Equal((EngineExit.Forbidden, "", ""), Call("Vcpu", 59, "0 0 0", "2> >(exec true); exit $?"));

    [Fact]
    public void ASignalThatSomebodySendsEndsTheProcessWithoutALine()
    {
        // tgkill(own process, own thread, SIGSYS), by the shell's id, which exec keeps.
        (int code, _, string errors) = Call("Main", 234, "$BASHPID $BASHPID 31", process: null);
        Assert.Equal((EngineExit.Forbidden, ""), (code, errors));
    }

    [Fact]
    public void TheHandlerIsWhatItsSourceSays()
    {
        using TemporaryFile made = new();
        using TemporaryFile code = new();
        Run("gcc", "-c", "-o", made.Path, Path.Combine(FloorPlanTests.Engine, "Linux", "SigsysStub.s"));
        Run("objcopy", "-O", "binary", "-j", ".text", made.Path, code.Path);
        Assert.Equal(File.ReadAllBytes(code.Path), SigsysStub.Code.ToArray());
    }

    private (int Code, string Output, string Errors) Call(string kind, int number, string arguments, string redirection = "", int? process = Process)
    {
        Compile();
        ThreadKinds which = Enum.Parse<ThreadKinds>(kind);
        File.WriteAllBytes(_stub.Path, [.. SigsysStub.Code, .. BitConverter.GetBytes(2)]);
        ProcessStartInfo start = new("bash") { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        string exec = redirection.Length == 0 ? "exec " : "";
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add($"read -r go; {exec}{_program.Path} {_filter.Path} {_stub.Path} '{kind} thread' {number} {arguments} {redirection}");
        start.RedirectStandardInput = true;
        using Process shell = System.Diagnostics.Process.Start(start)!;
        Libc.sock_filter[] filter = SeccompAssembler.Assemble(SeccompRules.For(which, SeccompRules.All(process ?? shell.Id)));
        File.WriteAllBytes(_filter.Path, MemoryMarshal.AsBytes(filter.AsSpan()).ToArray());
        shell.StandardInput.WriteLine();
        string output = shell.StandardOutput.ReadToEnd();
        string errors = shell.StandardError.ReadToEnd();
        shell.WaitForExit();
        return (shell.ExitCode, output, errors);
    }

    private void Compile([CallerFilePath] string here = "")
    {
        if (!File.Exists(_program.Path))
        {
            Run("gcc", "-o", _program.Path, Path.Combine(Path.GetDirectoryName(here)!, "seccomp-call.c"));
        }
    }

    private static void Run(string program, params string[] arguments)
    {
        try
        {
            using Process process = System.Diagnostics.Process.Start(program, arguments);
            process.WaitForExit();
            Assert.Equal(0, process.ExitCode);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip($"{program} isn't installed");
        }
    }
}
