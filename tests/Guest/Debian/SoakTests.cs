using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Debian;

/// <summary>Three clients ask for whatever they like, disks come and go, the machine pauses, its balloon moves, and fio verifies what it writes meanwhile.</summary>
public sealed class SoakTests
{
    private const int Bytes = 32 << 20;
    private const long Memory = 512L << 20;

    /// <summary>How long the clients ask: a minute, or the half hour of the long run. STRATO_SOAK gives seconds.</summary>
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(
        int.TryParse(Environment.GetEnvironmentVariable("STRATO_SOAK"), CultureInfo.InvariantCulture, out int given) ? given : TestHost.Long ? 1800 : 60);

    [Fact]
    public void Random_commands_of_three_clients_harm_neither_guest_nor_data()
    {
        TestHost.RequireGuests();
        DebianTools.Require();
        using DebianGuest guest = DebianGuest.Boot(new()
        {
            Memory = "512M",
            Cpus = 2,
            More = ["-iothread", "id=io", "-balloon", "deflate-on-oom=true"],
            Disks =
            [
                .. DebianTools.Disks,
                new Disk(TestHost.NewDisk("soak.img", Bytes), More: "aio=io_uring,iothread=io,iops=2000"),
            ],
        });
        DebianTools.Mount(guest, "vda");
        string process = $"/proc/{guest.Engine.Id}";
        (int files, int threads) before = Count(process);

        // Passes of writing all and reading it again, each verified, until the clients have done.
        guest.Check(
            "rm -f /tmp/stop /tmp/passes; ( ( while [ ! -f /tmp/stop ]; do chroot /debian fio --name=soak --filename=/dev/vdb --rw=randwrite --bsrange=4k-64k --size=8M --direct=1 --ioengine=libaio "
            + "--iodepth=8 --verify=crc32c --verify_fatal=1 --eta=never >/tmp/fio.log 2>&1 || { touch /tmp/failed; break; }; echo >>/tmp/passes; done ) >/dev/null 2>&1 & echo $! >/tmp/pid )");

        // Another round is another order of commands; a failure names its own.
        int seed = Environment.TickCount;
        using CancellationTokenSource over = new(Duration);
        Client[] clients = [.. Enumerable.Range(0, 3).Select(i => new Client(guest, i, seed + i, over.Token))];
        Array.ForEach(clients, client => client.Join());
        Assert.True(clients.All(client => client.Failure is null), $"seed {seed}: {string.Join("; ", clients.Select(client => client.Failure?.ToString()))}");
        Assert.All(clients, client => Assert.True(client.Done >= 20, $"client {client.Number} did {client.Done} commands alone"));

        // What a client's last command left is taken back.
        guest.Qmp.Call("cont");
        guest.Qmp.Call("balloon", new JsonObject { ["value"] = Memory });
        guest.Qmp.Call("block_set_io_throttle", new JsonObject { ["id"] = "disk1", ["iops"] = 0 });
        guest.Check("touch /tmp/stop; while [ -d /proc/$(cat /tmp/pid) ]; do usleep 100000; done; [ ! -f /tmp/failed ] || { cat /tmp/fio.log; false; }");
        Assert.True(int.Parse(guest.Check("wc -l </tmp/passes"), CultureInfo.InvariantCulture) >= 1, "fio never came to the end of a pass");
        Assert.Equal("running", guest.Qmp.Status());
        (int files, int threads) after = Count(process);
        Assert.InRange(after.files, 0, before.files + 4);
        Assert.InRange(after.threads, 0, before.threads + 4);
        KernelLog.AssertClean(guest, "vd[c-f]\\|set_capacity_and_notify");
        guest.PowerOff();
    }

    private static (int Files, int Threads) Count(string process) =>
        (Directory.GetFileSystemEntries($"{process}/fd").Length, Directory.GetDirectories($"{process}/task").Length);

    /// <summary>One client on a thread of its own.</summary>
    private sealed class Client
    {
        private readonly Thread _thread;
        private readonly QmpConnection _qmp;
        private readonly Random _random;
        private readonly string _image;
        private readonly string _disk;

        public Client(DebianGuest guest, int number, int seed, CancellationToken over)
        {
            Number = number;
            _qmp = QmpConnection.Open(guest.QmpPath, guest.Engine);
            _random = new Random(seed);
            _disk = $"soak{number}";
            _image = TestHost.NewDisk($"{_disk}.img", 1 << 20);
            _thread = new Thread(() => Run(over)) { IsBackground = true, Name = _disk };
            _thread.Start();
        }

        public int Number { get; }

        /// <summary>How many commands were answered.</summary>
        public int Done { get; private set; }

        /// <summary>Why it ended before its time; null when it didn't.</summary>
        public Exception? Failure { get; private set; }

        public void Join() => _thread.Join();

        private void Run(CancellationToken over)
        {
            try
            {
                while (!over.IsCancellationRequested)
                {
                    Act();
                    Done++;
                }

                _qmp.Dispose();
            }
            catch (Exception error)
            {
                Failure = error;
            }
        }

        private void Act()
        {
            switch (_random.Next(12))
            {
                case 0:
                    // Another client may let it go on sooner.
                    _qmp.Call("stop");
                    _qmp.Call("query-status");
                    _qmp.Call("cont");
                    break;
                case 1:
                    _qmp.Call("balloon", new JsonObject { ["value"] = Memory - ((long)_random.Next(0, 128) << 20) });
                    break;
                case 2 or 3:
                    PlugAndUnplug();
                    break;
                case 4:
                    _qmp.Call("block_set_io_throttle", new JsonObject { ["id"] = "disk1", ["iops"] = _random.Next(500, 5000) });
                    break;
                case 5:
                    Refused("device_del", new JsonObject { ["id"] = "nobody" });
                    break;
                case 6:
                    Refused("device_add", new JsonObject { ["id"] = _disk, ["driver"] = "virtio-blk-mmio", ["addr"] = "0x0" });
                    break;
                case 7:
                    Refused("blockdev-add", new JsonObject { ["node-name"] = _disk, ["file"] = new JsonObject { ["filename"] = "/no/such/file" } });
                    break;
                case 8:
                    Refused("getfd", new JsonObject { ["fdname"] = "none" });
                    break;
                default:
                    Query();
                    break;
            }
        }

        private void Query()
        {
            string[] queries = ["query-status", "query-cpus", "query-block", "query-named-block-nodes", "query-iothreads", "query-chardev", "query-balloon", "query-hotplug-slots", "query-qmp-schema", "query-mem", "query-events"];
            _qmp.Call(queries[_random.Next(queries.Length)]);
            _qmp.Call("human-monitor-command", new JsonObject { ["command-line"] = "info block" });
        }

        /// <summary>A disk into whatever slot is free, and out, perhaps before the guest has looked.</summary>
        private void PlugAndUnplug()
        {
            _qmp.Call("blockdev-add", new JsonObject { ["node-name"] = _disk, ["file"] = new JsonObject { ["filename"] = _image } });
            _qmp.Call("device_add", new JsonObject { ["id"] = _disk, ["driver"] = "virtio-blk-mmio" });
            for (int i = _random.Next(4); i > 0; i--)
            {
                Query();
            }

            _qmp.Call("device_del", new JsonObject { ["id"] = _disk });
            while ((string?)_qmp.WaitEvent("DEVICE_DELETED")["data"]!["device"] != _disk)
            {
                // Another client's.
            }
        }

        private void Refused(string command, JsonObject arguments) =>
            Assert.NotNull(_qmp.Answer(command, arguments)["error"]?["desc"]);
    }
}
