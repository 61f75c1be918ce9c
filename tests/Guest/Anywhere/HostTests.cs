using System;
using System.Text.Json.Nodes;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Anywhere;

/// <summary>Hosts without KVM, without leave to use it, and whose KVM only emulates: by the probe, and by a start that is refused.</summary>
[Trait("Where", "anywhere")]
public sealed class HostTests
{
    /// <summary>A mount namespace whose /dev is empty but for what the script puts there.</summary>
    private const string Namespace = "mount -t tmpfs tmpfs /dev && : >/dev/null && ";

    public HostTests() => TestHost.RequireEngine();

    [Fact]
    public void No_kvm()
    {
        RequireNamespaces();
        EngineError error = Refused("exec \"$@\"");
        Assert.Equal("KvmUnavailable", error.Id);
        Assert.Equal("/dev/kvm", error.Where);
        Assert.Contains("No such file", error.Message, StringComparison.Ordinal);
        Probed("exec \"$@\"", 12, "absent");
    }

    [Fact]
    public void No_permission()
    {
        RequireNamespaces();
        Assert.SkipUnless(Command.Works("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", TestHost.Engine, "-version"), "no setpriv, or nobody may not run the engine");
        const string Script = ": >/dev/kvm && chmod 600 /dev/kvm && exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";
        Probed(Script, 11, "no-permission");
        EngineError error = Refused(Script);
        Assert.Equal("KvmNoPermission", error.Id);
        Assert.Equal("/dev/kvm", error.Where);
        Assert.Contains("kvm", error.Message, StringComparison.Ordinal);
        Assert.Contains("group", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Something_else_in_its_place()
    {
        RequireNamespaces();
        const string Script = "echo no >/dev/kvm && exec \"$@\"";
        EngineError error = Refused(Script);
        Assert.Equal("KvmUnavailable", error.Id);
        Probed(Script, 12, "absent");
    }

    [Fact]
    public void Kvm_that_only_emulates()
    {
        Assert.SkipUnless(TestHost.Kvm.ExitCode == 10, $"KVM isn't emulated here: {TestHost.Kvm.Line}");
        JsonNode probe = JsonNode.Parse(TestHost.Kvm.Line)!;
        Assert.Equal("emulated", (string?)probe["verdict"]);
        Assert.InRange((double)probe["mips"]!, 0.01, 20);
        string kernel = Payload.Make(PayloadEnd.PowerOff);
        using (EngineProcess engine = EngineProcess.Start("-kernel", kernel, "-serial", "stdio"))
        {
            EngineError error = engine.WaitError();
            Assert.Equal("KvmEmulated", error.Id);
            Assert.Matches(@"at \d+\.\d million instructions a second", error.Message);
            Assert.DoesNotContain("-force", error.Message, StringComparison.Ordinal);
            Assert.Contains("(-force tries all the same)", engine.Errors.Text(), StringComparison.Ordinal);
            Assert.Equal("", engine.Output.Text());
        }

        using EngineProcess forced = EngineProcess.Start("-force", "-kernel", kernel, "-serial", "stdio");
        forced.WaitExit(0, TimeSpan.FromSeconds(60));
        Assert.Equal("hello\n", forced.Output.Text());
    }

    private static void RequireNamespaces() =>
        Assert.SkipUnless(Command.Works("unshare", "-m", "sh", "-c", Namespace + "true"), "no leave to make a mount namespace");

    private static EngineError Refused(string script)
    {
        using EngineProcess engine = EngineProcess.StartBy(
            ["unshare", "-m", "sh", "-c", Namespace + script, "sh"], "-kernel", Payload.Make(PayloadEnd.PowerOff), "-serial", "stdio");
        return engine.WaitError();
    }

    private static void Probed(string script, int code, string verdict)
    {
        Command.Result result = Command.Run(TimeSpan.FromSeconds(30), "unshare", "-m", "sh", "-c", Namespace + script, "sh", TestHost.Engine, "-probe");
        Assert.Equal(code, result.ExitCode);
        Assert.Equal(verdict, (string?)JsonNode.Parse(result.Output)!["verdict"]);
        Assert.False(string.IsNullOrEmpty((string?)JsonNode.Parse(result.Output)!["reason"]));
    }
}
