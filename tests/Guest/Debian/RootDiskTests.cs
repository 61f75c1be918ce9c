using System;
using System.IO;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Debian;

/// <summary>The cloud kernel with its root on an ext4 disk, two vCPUs and 3 GiB; its disks; the console's ring, log and readers.</summary>
public sealed class RootDiskTests(RootDiskTests.Shared shared) : IClassFixture<RootDiskTests.Shared>
{
    public sealed class Shared : SharedGuest
    {
        public const int BigFile = 200 << 20;

        private GuestOptions? _options;
        private string? _bigFileSum;

        /// <summary>The checksum of a big file, which the guest has written once this is asked for.</summary>
        internal string BigFileSum => _bigFileSum ??= WriteBigFile();

        internal string Root => Options.Disks[0].Path;

        internal override GuestOptions Options => _options ??= new()
        {
            Cpus = 2,
            Memory = "3G",
            CommandLine = "root=/dev/vda",
            Serial = SerialKind.Console,
            Disks =
            [
                new Disk(TestHost.NewRoot(), Serial: "root-0123456789"),
                new Disk(TestHost.NewDisk("fixed.img", 1 << 20), ReadOnly: true),
                new Disk(TestHost.NewDisk("data.img", 64 << 20), Serial: "abcdefghijklmnopqrst"),
            ],
        };

        private string WriteBigFile()
        {
            Guest.Check($"dd if=/dev/urandom of=/root/big bs=1M count={BigFile >> 20} 2>/dev/null", DebianGuest.Limit * 3);
            return Guest.Check("md5sum </root/big", DebianGuest.Limit * 3).Split(' ')[0];
        }
    }

    [Fact]
    public void Two_cpus_3_GiB_and_an_ext4_root()
    {
        GuestFacts.AssertCpus(shared.Guest, 2);
        GuestFacts.AssertMemory(shared.Guest, 3072);
        GuestFacts.AssertThreads(shared.Guest, 2);
        Assert.Equal("0x0000000000000000-0x000000000009fbff 0x0000000000100000-0x00000000bfffffff", GuestFacts.UsableMemory(shared.Guest));
        Assert.Matches("^/dev/\\S+ / ext4 rw", shared.Guest.Check("grep ' / ' /proc/mounts"));
        KernelLog.AssertClean(shared.Guest);
    }

    [Fact]
    public void Disks_have_their_sizes_serial_numbers_and_modes()
    {
        DebianGuest guest = shared.Guest;
        Assert.Equal("root-0123456789", guest.Check("cat /sys/block/vda/serial"));
        Assert.Equal("abcdefghijklmnopqrst", guest.Check("cat /sys/block/vdc/serial"));
        Assert.Equal("1048576\n131072", guest.Check("cat /sys/block/vda/size /sys/block/vdc/size"));
        Assert.Equal("0\n1\n0", guest.Check("cat /sys/block/vd[abc]/ro"));
        Assert.Equal("write back", guest.Check("cat /sys/block/vdc/queue/write_cache"));
        JsonArray drives = guest.Qmp.Call("query-block").AsArray();
        Assert.Equal(3, drives.Count);
    }

    [Fact]
    public void Read_only_disk_can_be_read_but_not_written()
    {
        DebianGuest guest = shared.Guest;
        guest.Check("dd if=/dev/vdb of=/dev/null bs=64k");
        Assert.NotEqual(0, guest.Run("dd if=/dev/zero of=/dev/vdb bs=512 count=1 conv=fsync").ExitCode);
        Assert.NotEqual(0, guest.Run("mount -t ext4 -o rw /dev/vdb /mnt").ExitCode);
    }

    [Fact]
    public void What_is_written_is_read_again_around_the_caches()
    {
        DebianGuest guest = shared.Guest;
        guest.Check("dd if=/dev/urandom of=/tmp/pattern bs=1M count=8 2>/dev/null");
        guest.Check("dd if=/tmp/pattern of=/dev/vdc bs=1M seek=50 conv=fsync,notrunc 2>/dev/null");
        guest.Check("echo 3 >/proc/sys/vm/drop_caches");
        guest.Check("dd if=/dev/vdc of=/tmp/again bs=1M skip=50 count=8 2>/dev/null; cmp /tmp/pattern /tmp/again");

        // Odd places and sizes, in direct I/O of single sectors.
        guest.Check("dd if=/tmp/pattern of=/dev/vdc bs=512 seek=7 count=13 oflag=direct conv=notrunc 2>/dev/null");
        guest.Check("dd if=/dev/vdc bs=512 skip=7 count=13 iflag=direct 2>/dev/null | cmp -n 6656 - /tmp/pattern");
        Assert.NotEqual(0, guest.Run("dd if=/tmp/pattern of=/dev/vdc bs=512 seek=131072 count=1 oflag=direct conv=notrunc").ExitCode);
        Assert.Equal("131072", guest.Check("cat /sys/block/vdc/size"));
    }

    [Fact]
    public void Log_in_by_the_console_socket()
    {
        DebianGuest guest = shared.Guest;
        int from = guest.Console.Length;

        // The shell's end starts the log-in anew; getty would ask for a name without strato.autologin.
        guest.Send("exit\n");
        guest.Console.WaitFor(DebianGuest.Prompt, from, DebianGuest.Limit);
        Assert.Equal("/dev/ttyS0", guest.Check("tty"));
    }

    [Fact]
    public void Second_writer_is_refused_unless_it_takes()
    {
        DebianGuest guest = shared.Guest;
        using (NetworkStream stream = guest.ConnectSocket())
        {
            ConsoleClient.Open(stream, """{"mode":"attach","from":"end"}""", out string answer);
            Assert.NotNull(JsonNode.Parse(answer)!["error"]);
        }

        Assert.Equal("still mine", guest.Check("echo still mine"));
    }

    [Fact]
    public void Readers_follow_from_anywhere_and_none_holds_up_the_guest()
    {
        DebianGuest guest = shared.Guest;
        using NetworkStream stopped = guest.ConnectSocket();
        stopped.Write("{\"mode\":\"follow\",\"from\":\"end\"}\n"u8); // and never reads

        using NetworkStream fromEnd = guest.ConnectSocket();
        ByteLog end = ConsoleClient.Open(fromEnd, """{"mode":"follow","from":"end"}""", out string answer);
        long offset = (long)JsonNode.Parse(answer)!["offset"]!;
        Assert.False((bool)JsonNode.Parse(answer)!["writer"]!);
        guest.Check("seq 1 3000");
        end.WaitFor("3000\r\n", 0, DebianGuest.Limit);

        using NetworkStream fromOffset = guest.ConnectSocket();
        ByteLog again = ConsoleClient.Open(fromOffset, $$"""{"mode":"follow","from":{{offset}}}""", out _);
        again.WaitFor("3000\r\n", 0, DebianGuest.Limit);
        int length = Math.Min(end.Length, again.Length);
        Assert.Equal(end.Text(0, length), again.Text(0, length));
    }

    [Fact]
    public void One_off_send_is_written_once_the_writer_left()
    {
        DebianGuest guest = shared.Guest;
        int from = guest.Console.Length;
        using NetworkStream stream = guest.ConnectSocket();
        ByteLog log = ConsoleClient.Open(stream, """{"mode":"attach","from":"end","take":true}""", out string answer);
        Assert.True((bool)JsonNode.Parse(answer)!["writer"]!);
        stream.Write("echo by'' another\n"u8);
        log.WaitFor("by another", 0, DebianGuest.Limit);
        stream.Socket.Shutdown(SocketShutdown.Send);

        // The shared guest's client was detached: it attaches again.
        guest.Attach();
        Assert.Equal("back", guest.Check("echo back"));
        Assert.True(guest.Console.Length > from);
    }

    [Fact]
    public void Power_off_leaves_a_clean_file_system_with_the_same_bytes_and_a_whole_log()
    {
        DebianGuest guest = shared.Guest;
        string sum = shared.BigFileSum;
        guest.PowerOff();
        Assert.Equal(guest.Console.Text(), Encoding.Latin1.GetString(File.ReadAllBytes(guest.LogPath))[^guest.Console.Length..]);

        Assert.True(Command.Works("sh", "-c", "command -v debugfs && command -v e2fsck"), "e2fsprogs is missing");
        Command.Check("e2fsck", "-fn", shared.Root);
        string copy = TestHost.NewDiskPath("big");
        Command.Check("debugfs", "-R", $"dump /root/big {copy}", shared.Root);
        Assert.Equal(Shared.BigFile, new FileInfo(copy).Length);
        Assert.Equal(sum, Command.Check("md5sum", copy).Split(' ')[0]);
    }
}
