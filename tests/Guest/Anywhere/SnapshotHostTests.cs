using System;
using System.IO;
using System.Text.Json.Nodes;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Anywhere;

/// <summary>Snapshots of a payload that needs no processor's KVM: saved, restored, and refused by name.</summary>
[Trait("Where", "anywhere")]
public sealed class SnapshotHostTests
{
    [Fact]
    public void The_guest_goes_on_where_it_was_and_a_saved_one_as_well()
    {
        TestHost.RequireKvm();
        string folder = TestHost.NewPath("snapshot");
        using EchoMachine first = EchoMachine.Start();
        first.WaitBegin();
        Assert.Equal("none", (string?)first.Qmp.Call("query-migrate")["status"]);
        Snapshots.Save(first.Qmp, folder);
        Assert.Equal("""{"return":{"status":"completed"},"id":""", first.Qmp.Answer("query-migrate").ToJsonString()[..38]);
        Assert.Equal("running", first.Qmp.Status());
        first.Echo("a");
        using (EchoMachine second = EchoMachine.Start("-incoming", "file:" + folder))
        {
            // Both go on, each by itself; neither begins anew.
            second.Echo("bcd");
            first.Echo("efg");
            Assert.DoesNotContain("begin", second.Engine.Output.Utf8(), StringComparison.Ordinal);
            second.PowerOff();
        }

        using (EchoMachine paused = EchoMachine.Start("-incoming", "file:" + folder, "-S"))
        {
            Assert.Equal("paused", paused.Qmp.Status());
            paused.Qmp.Call("cont");
            paused.Echo("h");

            // The reset is that of a machine which has booted: from its kernel, in memory that is zeros again.
            paused.Qmp.Call("system_reset");
            paused.WaitBegin();
            paused.Echo("ij");
            paused.PowerOff();
        }

        // What was restored can be saved over the snapshot that it came from.
        using EchoMachine third = EchoMachine.Start("-incoming", "file:" + folder);
        third.Echo("k");
        Snapshots.Save(third.Qmp, folder);
        third.PowerOff();
        Assert.Equal(["memory", "state"], Snapshots.Names(folder));
        using EchoMachine fourth = EchoMachine.Start("-incoming", $"state={folder}/state,memory={folder}/memory");
        fourth.Echo("lm");
        fourth.PowerOff();
    }

    [Fact]
    public void A_paused_machine_stays_paused_and_one_that_ran_when_that_is_asked()
    {
        TestHost.RequireKvm();
        string folder = TestHost.NewPath("snapshot");
        using EchoMachine machine = EchoMachine.Start();
        machine.WaitBegin();
        Snapshots.Save(machine.Qmp, folder, staysPaused: true);
        Assert.Equal("paused", machine.Qmp.Status());
        Snapshots.Save(machine.Qmp, folder);
        Assert.Equal("paused", machine.Qmp.Status());
        machine.Qmp.Call("cont");
        machine.Echo("x");
        machine.PowerOff();
    }

    [Fact]
    public void What_differs_is_refused_by_name()
    {
        TestHost.RequireKvm();
        string folder = TestHost.NewPath("snapshot");
        string disk = TestHost.NewDisk("one.img", 1 << 20);
        using (EchoMachine machine = EchoMachine.Start("-drive", $"file={disk},id=one", "-device", "virtio-rng-device,id=dice"))
        {
            machine.WaitBegin();
            Snapshots.Save(machine.Qmp, folder);
            machine.PowerOff();
        }

        string[] same = ["-drive", $"file={disk},id=one", "-device", "virtio-rng-device,id=dice"];
        string incoming = "file:" + folder;
        Refused("SnapshotMismatch", "the disk 'one'", ["-device", "virtio-rng-device,id=dice"], incoming);
        Refused("SnapshotMismatch", "the device 'dice'", ["-drive", $"file={disk},id=one"], incoming);
        Refused("SnapshotMismatch", "'more' is configured", [.. same, "-drive", $"file={TestHost.NewDisk("more.img", 1 << 20)},id=more"], incoming);
        Refused("SnapshotMismatch", "and had 1048576", ["-drive", $"file={TestHost.NewDisk("large.img", 2 << 20)},id=one", "-device", "virtio-rng-device,id=dice"], incoming);
        Refused("SnapshotMismatch", "'one' doesn't fit the snapshot: it has 2 queues, and had 1", ["-drive", $"file={disk},id=one,num-queues=2", "-device", "virtio-rng-device,id=dice"], incoming);
        Refused("SnapshotMismatch", "'one' doesn't fit the snapshot: it has queues of 64, and had one of 256", ["-drive", $"file={disk},id=one,queue-size=64", "-device", "virtio-rng-device,id=dice"], incoming);
        Refused("SnapshotMismatch", "'one' doesn't fit the snapshot: it is read-only, and was writable", ["-drive", $"file={disk},id=one,readonly=on", "-device", "virtio-rng-device,id=dice"], incoming);
        Refused("SnapshotMismatch", "of memory", [.. same, "-m", "512M"], incoming);
        Refused("SnapshotMismatch", "CPUs", [.. same, "-smp", "2"], incoming);
        Refused("SnapshotNotFound", "No such file", same, "file:" + folder + "/nowhere");
        Refused("InvalidOption", "file:FOLDER", same, "tcp:1.2.3.4:5");

        byte[] state = File.ReadAllBytes(folder + "/state");
        foreach (int at in (int[])[0, 20, 60, state.Length / 2, state.Length - 1])
        {
            byte[] damaged = [.. state];
            damaged[at] ^= 0x10;
            File.WriteAllBytes(folder + "/state", damaged);
            Refused("SnapshotDamaged", "state is damaged", same, incoming);
        }

        File.WriteAllBytes(folder + "/state", state[..^5]);
        Refused("SnapshotDamaged", "state is damaged", same, incoming);
        File.WriteAllBytes(folder + "/state", state);
        using (FileStream memory = new(folder + "/memory", FileMode.Open))
        {
            memory.SetLength(memory.Length - 4096);
        }

        Refused("SnapshotDamaged", "memory", same, incoming);
    }

    /// <summary>Whatever was plugged in there: the place is what it was, and hinders no restore.</summary>
    [Fact]
    public void A_place_whose_disk_went_is_restored_with_its_queues()
    {
        TestHost.RequireKvm();
        string folder = TestHost.NewPath("snapshot");
        string disk = TestHost.NewDisk("gone.img", 1 << 20);
        using (EchoMachine machine = EchoMachine.Start("-drive", $"file={disk},id=gone,num-queues=2,queue-size=64,readonly=on"))
        {
            machine.WaitBegin();
            machine.Qmp.Call("device_del", new JsonObject { ["id"] = "gone" });
            Snapshots.Save(machine.Qmp, folder);
            machine.PowerOff();
        }

        using EchoMachine restored = EchoMachine.Start("-incoming", "file:" + folder);
        restored.Echo("x");
        restored.Qmp.Call("blockdev-add", new JsonObject { ["node-name"] = "back", ["driver"] = "raw", ["read-only"] = true, ["file"] = new JsonObject { ["driver"] = "file", ["filename"] = disk } });
        restored.Qmp.Call("device_add", new JsonObject { ["id"] = "back", ["driver"] = "virtio-blk-device", ["drive"] = "back", ["num-queues"] = 2, ["queue-size"] = 64 });
        restored.PowerOff();
    }

    [Fact]
    public void What_cannot_be_written_is_said_and_the_machine_goes_on()
    {
        TestHost.RequireKvm();
        using EchoMachine machine = EchoMachine.Start();
        machine.WaitBegin();
        Fails(machine, "file:/nowhere/at/all", "can't be written: No such file");
        Fails(machine, "file:/dev/null", "can't be written: Not a directory");
        Fails(machine, "tcp:localhost:4444", "allowed: file:FOLDER");
        Fails(machine, "fd:a,b", "named 'a' has not been found");
        Assert.Equal("none", (string?)machine.Qmp.Call("query-migrate")["status"]);
        machine.Qmp.Call("migrate_cancel");
        machine.Echo("x");
        machine.PowerOff();
    }

    private static void Fails(EchoMachine machine, string uri, string message) =>
        Assert.Contains(message, (string)machine.Qmp.Answer("migrate", new JsonObject { ["uri"] = uri })["error"]!["desc"]!, StringComparison.Ordinal);

    private static void Refused(string id, string message, string[] devices, string incoming)
    {
        using EngineProcess engine = EngineProcess.Start(["-force", "-kernel", EchoMachine.Kernel, "-serial", "stdio", .. devices, "-incoming", incoming]);
        EngineError error = engine.WaitError(id == "InvalidOption" ? 2 : 1);
        Assert.Equal(id, error.Id);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }
}
