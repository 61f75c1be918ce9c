using System;
using System.Diagnostics;
using System.IO;
using System.Threading;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Anywhere;

/// <summary>What is on the disk when a save ends as it shouldn't: a full disk, a kill at any moment; and many that go well.</summary>
[Trait("Where", "anywhere")]
public sealed class SnapshotFilesTests
{
    // What makes the memory large that is written, and the save last.
    private const int InitrdBytes = 24 << 20;

    private static readonly Lazy<string> Initrd = new(MakeInitrd);

    /// <summary>A file system of its own, with room for one snapshot and not for the second beside it.</summary>
    [Fact]
    public void A_full_disk_leaves_the_old_snapshot_and_the_machine_running()
    {
        TestHost.RequireKvm();
        string small = TestHost.NewPath("small");
        Directory.CreateDirectory(small);
        Assert.SkipUnless(Command.Works("mount", "-t", "tmpfs", "-o", $"size={(InitrdBytes * 3 / 2) >> 10}k", "tmpfs", small), "no right to mount a file system");
        try
        {
            string folder = small + "/snapshot";
            using EchoMachine machine = Boot();
            Snapshots.Save(machine.Qmp, folder);
            string before = Snapshots.AssertWhole(folder);
            for (int round = 0; round < 2; round++)
            {
                machine.Echo("a");
                Snapshots.Begin(machine.Qmp, folder);
                Assert.Equal("failed", Snapshots.WaitEnd(machine.Qmp));
                string why = (string)machine.Qmp.Call("query-migrate")["error-desc"]!;
                Assert.StartsWith($"No room for the snapshot: '{folder}/memory.new' needs up to 256 MiB (pages of zeros take none), and after ", why, StringComparison.Ordinal);
                Assert.EndsWith("there was no more: No space left on device.", why, StringComparison.Ordinal);
                Assert.Equal("running", machine.Qmp.Status());
                Assert.Equal(["memory", "state"], Snapshots.Names(folder));
                Assert.Equal(before, Snapshots.AssertWhole(folder));
                machine.Echo("b");
            }

            using (EchoMachine restored = Restore(folder))
            {
                restored.Echo("cd");
                restored.PowerOff();
            }

            // With the old one away there is room. It is elsewhere that the disk fills while the folder is empty.
            Directory.Delete(folder, recursive: true);
            Snapshots.Save(machine.Qmp, folder);
            Assert.NotEqual(before, Snapshots.AssertWhole(folder));
            Snapshots.Begin(machine.Qmp, small + "/another");
            Assert.Equal("failed", Snapshots.WaitEnd(machine.Qmp));
            Assert.Empty(Snapshots.Names(small + "/another"));
            machine.PowerOff();
        }
        finally
        {
            Command.Check("umount", small);
        }
    }

    /// <summary>The old snapshot or the new one is there, whole, by all its checksums; and it goes on.</summary>
    [Fact]
    public void A_save_that_is_killed_leaves_a_whole_snapshot()
    {
        TestHost.RequireKvm();
        string folder = TestHost.NewDiskPath("snapshot");
        EchoMachine machine = Boot();
        try
        {
            long start = Stopwatch.GetTimestamp();
            Snapshots.Save(machine.Qmp, folder);
            TimeSpan whole = Stopwatch.GetElapsedTime(start);
            string last = Snapshots.AssertWhole(folder);
            Random random = new(7);
            int rounds = TestHost.Long ? 100 : 5;
            int kept = 0;
            for (int round = 1; round <= rounds; round++)
            {
                Snapshots.Begin(machine.Qmp, folder);
                start = Stopwatch.GetTimestamp();
                TimeSpan moment = whole * random.NextDouble() * 1.2;
                SpinWait.SpinUntil(() => Stopwatch.GetElapsedTime(start) >= moment);
                machine.Engine.Kill();
                machine.Dispose();
                string found = Snapshots.AssertWhole(folder);
                kept += found == last ? 1 : 0;
                last = found;
                machine = Restore(folder);
                machine.Echo("ab");
            }

            TestContext.Current.TestOutputHelper?.WriteLine($"{rounds} kills, a save takes {whole.TotalMilliseconds:F0} ms: {kept} left the old snapshot, {rounds - kept} the new one");
            Snapshots.Save(machine.Qmp, folder);
            Assert.Equal(["memory", "state"], Snapshots.Names(folder));
            machine.PowerOff();
        }
        finally
        {
            machine.Dispose();
        }
    }

    [Fact]
    public void Saved_and_restored_again_and_again()
    {
        TestHost.RequireKvm();
        string folder = TestHost.NewDiskPath("snapshot");
        using (EchoMachine machine = Boot())
        {
            Snapshots.Save(machine.Qmp, folder);
            machine.PowerOff();
        }

        string last = Snapshots.AssertWhole(folder);
        int rounds = TestHost.Long ? 50 : 5;
        for (int round = 1; round <= rounds; round++)
        {
            using EchoMachine machine = Restore(folder);
            machine.Echo("a");
            Snapshots.Save(machine.Qmp, folder, staysPaused: round % 2 == 0);
            string now = Snapshots.AssertWhole(folder);
            Assert.NotEqual(last, now);
            last = now;
            machine.Qmp.Call("cont");
            machine.Echo("b");
            machine.PowerOff();
        }
    }

    private static EchoMachine Boot()
    {
        EchoMachine machine = EchoMachine.Start("-initrd", Initrd.Value);
        machine.WaitBegin();
        return machine;
    }

    private static EchoMachine Restore(string folder) => EchoMachine.Start("-initrd", Initrd.Value, "-incoming", "file:" + folder);

    private static string MakeInitrd()
    {
        string path = TestHost.NewDiskPath("initrd");
        byte[] bytes = new byte[InitrdBytes];
        new Random(3).NextBytes(bytes);
        File.WriteAllBytes(path, bytes);
        return path;
    }
}
