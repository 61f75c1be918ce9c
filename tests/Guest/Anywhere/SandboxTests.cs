using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Anywhere;

/// <summary><c>-sandbox</c>: what the process has when its guest runs, thread by thread, and what of it is left at the end.</summary>
[Trait("Where", "both")]
public sealed class SandboxTests
{
    private const string Nobody = "12345";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly string _qmp = TestHost.NewPath("qmp");

    public SandboxTests() => TestHost.RequireKvm();

    [Fact]
    public void Root_gives_up_everything()
    {
        RequireRoot();
        string[] vsock = File.Exists("/dev/vhost-vsock") ? ["-device", $"vhost-vsock-device,guest-cid={Environment.ProcessId + 100_000}"] : [];
        using EngineProcess engine = Start([], "on", ["-iothread", "id=io0", "-smp", "2", .. vsock]);
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        Assert.Equal("running", qmp.Status());
        string user = Line(engine.Id, "Uid").Split('\t')[0];
        Assert.True(uint.Parse(user, System.Globalization.CultureInfo.InvariantCulture) >= 0x70000000, user);
        CheckThreads(engine.Id, user, atLeast: 5);
        Assert.Equal("", Line(engine.Id, "Groups").Trim());
        foreach (string name in new[] { "net", "ipc", "uts" })
        {
            Assert.NotEqual(Link($"/proc/self/ns/{name}"), Link($"/proc/{engine.Id}/ns/{name}"));
        }

        Assert.Contains("Max open files            4096                 4096", File.ReadAllText($"/proc/{engine.Id}/limits"), StringComparison.Ordinal);

        // All that a guest may ask for later goes on working.
        qmp.Call("system_reset");
        qmp.WaitEvent("RESET");
        qmp.Call("stop");
        qmp.Call("cont");
        qmp.Call("quit");
        engine.WaitExit(0, Limit);
    }

    [Fact]
    public void Root_takes_the_user_that_is_given()
    {
        RequireRoot();
        using EngineProcess engine = Start([], $"on,user={Nobody}:54321,namespaces=off");
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        CheckThreads(engine.Id, Nobody, atLeast: 3);
        Assert.StartsWith("54321\t54321\t54321\t54321", Line(engine.Id, "Gid"), StringComparison.Ordinal);
        Assert.Equal(Link("/proc/self/ns/net"), Link($"/proc/{engine.Id}/ns/net"));
        qmp.Call("quit");
        engine.WaitExit(0, Limit);
    }

    [Fact]
    public void A_user_is_shut_in_by_a_user_namespace()
    {
        RequireRoot();
        string[] user = ["setpriv", "--reuid", Nobody, "--regid", Nobody, "--clear-groups"];
        Assert.SkipUnless(Command.Run(Limit, user[0], [.. user[1..], "unshare", "--user", "--map-root-user", "--net", "true"]).ExitCode == 0, "the host lets users have no user namespaces");
        string folder = TestHost.NewPath("user");
        Directory.CreateDirectory(folder);
        Command.Check("chmod", "0777", folder, TestHost.Folder);

        // Root's alone: the engine is given both open.
        string kernel = Path.Combine(folder, "kernel");
        File.Copy(Payload.Make(PayloadEnd.Halt), kernel);
        string disk = TestHost.NewDisk("roots.img", 1 << 20);
        Command.Check("chmod", "0600", kernel, disk);
        string before = Command.Check("stat", "-c", "%a", "/dev/kvm").Trim();
        Command.Check("chmod", "0666", "/dev/kvm");
        try
        {
            string qmp = Path.Combine(folder, "qmp");
            using EngineProcess engine = EngineProcess.StartBy(
                ["sh", "-c", "exec 8<\"$0\" 9<>\"$1\"; shift; exec \"$@\"", kernel, disk, .. user],
                "-force", "-qmp", $"unix:{qmp},server,nowait", "-sandbox", "on",
                "-kernel", "/dev/fdset/0", "-drive", "file=/dev/fdset/1,id=a",
                "-add-fd", $"fd=8,set=0,opaque={kernel},keep=off", "-add-fd", $"fd=9,set=1,opaque={disk},keep=off");
            using QmpConnection connection = QmpConnection.Open(qmp, engine);
            Assert.Equal("running", connection.Status());
            Assert.Equal(disk, (string?)connection.Call("query-block")[0]!["inserted"]!["file"]);
            Assert.Equal("[]", connection.Call("query-fdsets").ToJsonString());
            Assert.Single(Directory.GetFiles($"/proc/{engine.Id}/fd"), fd => Link(fd) == disk);
            Assert.Single(Directory.GetFiles($"/proc/{engine.Id}/fd"), fd => Link(fd) == kernel);
            CheckThreads(engine.Id, Nobody, atLeast: 3);
            Assert.NotEqual(Link("/proc/self/ns/user"), Link($"/proc/{engine.Id}/ns/user"));
            Assert.NotEqual(Link("/proc/self/ns/net"), Link($"/proc/{engine.Id}/ns/net"));
            connection.Call("quit");
            engine.WaitExit(0, Limit);
        }
        finally
        {
            Command.Check("chmod", before, "/dev/kvm");
        }
    }

    [Fact]
    public void What_comes_later_comes_by_descriptors()
    {
        RequireRoot();
        using EngineProcess engine = Start([], "on");
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        JsonObject file = new() { ["driver"] = "file", ["filename"] = "/etc/passwd" };
        JsonNode refused = qmp.Answer("blockdev-add", new JsonObject { ["node-name"] = "a", ["driver"] = "raw", ["file"] = file });
        Assert.Equal(
            "The engine is in a sandbox, where there are no paths: '/etc/passwd' can't be opened; pass a descriptor of it by add-fd, and give /dev/fdset/ and its set's number instead.",
            (string)refused["error"]!["desc"]!);
        (string Start, JsonObject Netdev)[] wishes =
        [
            ("net 'n': user networking can't be added while seccomp is on", new JsonObject { ["type"] = "user", ["id"] = "n" }),
            ("The engine is in a sandbox", new JsonObject { ["type"] = "tap", ["id"] = "n", ["ifname"] = "tap0" }),
            ("The engine is in a sandbox", new JsonObject { ["type"] = "stream", ["id"] = "n", ["addr"] = new JsonObject { ["type"] = "unix", ["path"] = "/run/x" } }),
        ];
        foreach ((string start, JsonObject netdev) in wishes)
        {
            Assert.StartsWith(start, (string)qmp.Answer("netdev_add", netdev)["error"]!["desc"]!, StringComparison.Ordinal);
        }

        Assert.Equal("[]", qmp.Call("query-named-block-nodes").ToJsonString());
        qmp.Call("quit");
        engine.WaitExit(0, Limit);
    }

    [Fact]
    public void Descriptors_that_no_option_names_are_closed()
    {
        RequireRoot();
        using EngineProcess engine = Start(["sh", "-c", "exec 9</etc/passwd; exec \"$@\"", "sh"], "on");
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        Assert.DoesNotContain("/etc/passwd", Directory.GetFiles($"/proc/{engine.Id}/fd").Select(Link));
        qmp.Call("quit");
        engine.WaitExit(0, Limit);
    }

    [Fact]
    public void Root_without_the_right_to_is_told_so()
    {
        RequireRoot();
        foreach ((string capability, string what) in new[] { ("-sys_admin", "unshare"), ("-sys_chroot", "chroot"), ("-setuid", "become the user") })
        {
            using EngineProcess engine = Start(["setpriv", $"--bounding-set={capability}", $"--inh-caps={capability}"], "on");
            EngineError error = engine.WaitError();
            Assert.Equal("SandboxRefused", error.Id);
            Assert.Contains(what, error.Message, StringComparison.Ordinal);
        }
    }

    private static void RequireRoot() => Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root can give its rights up");

    private static void CheckThreads(int process, string user, int atLeast)
    {
        string[] threads = Directory.GetDirectories($"/proc/{process}/task");
        Assert.True(threads.Length >= atLeast, $"{threads.Length} threads");
        foreach (string thread in threads)
        {
            string status = File.ReadAllText($"{thread}/status");
            string[] stat = File.ReadAllText($"{thread}/stat").Split(") ")[^1].Split(' ');
            if ((long.Parse(stat[6], System.Globalization.CultureInfo.InvariantCulture) & 0x4010) != 0)
            {
                continue; // the kernel's own, of KVM or vhost
            }

            foreach (string line in new[] { $"Uid:\t{user}\t{user}\t{user}\t{user}", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "NoNewPrivs:\t1" })
            {
                Assert.Contains($"\n{line}\n", status, StringComparison.Ordinal);
            }

            string root = Link($"{thread}/root");
            Assert.True(root.Contains("/strato-empty-", StringComparison.Ordinal) && root.EndsWith(" (deleted)", StringComparison.Ordinal), root);
            Assert.Equal(Link($"/proc/{process}/ns/net"), Link($"{thread}/ns/net"));
        }
    }

    private static string Line(int process, string name) =>
        File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith($"{name}:\t", StringComparison.Ordinal))[(name.Length + 2)..];

    private static string Link(string path) => new FileInfo(path).LinkTarget ?? "";

    private EngineProcess Start(IEnumerable<string> wrapper, string sandbox, params string[] more) => EngineProcess.StartBy(
        wrapper, [.. TestHost.Kvm.ExitCode == 0 ? [] : new[] { "-force" }, "-kernel", Payload.Make(PayloadEnd.Halt), "-qmp", $"unix:{_qmp},server,nowait", "-sandbox", sandbox, .. more]);
}
