using System;
using System.Linq;
using Strato.Client;
using Strato.Protocol.Configuration;

namespace Strato.Tests.Unit.Client;

/// <summary>Definitions with anything in them, the same for the same random numbers.</summary>
internal static class RandomVm
{
    private static readonly string[] Texts = ["web", "a b", "it's", "‘quoted’ “twice”", "$x `n $(y)", "line\nnext\r\n", "#no", "<#no#>", "é漢😀", "@'\n'@", "a;b}", "a,b=c", "\t\"\\"];

    internal static VmDefinition Make(Random random)
    {
        bool Coin() => random.Next(2) == 0;
        T? Maybe<T>(Func<T> make)
            where T : struct => Coin() ? make() : null;
        string Text() => Texts[random.Next(Texts.Length)];
        string Line() => Text().Replace('\n', ' ').Replace('\r', ' ');
        string Path() => "/" + Line();
        string[] threads = [.. Enumerable.Range(0, random.Next(3)).Select(i => $"io{i}")];
        string? Thread() => threads.Length > 0 && Coin() ? threads[random.Next(threads.Length)] : null;
        return new VmDefinition
        {
            Id = "",
            Created = default,
            Name = Line(),
            Notes = Coin() ? "" : Text(),
            Machine = "microvm",
            Kernel = Path(),
            Initrd = Coin() ? Path() : null,
            CommandLine = Coin() ? "" : Line(),
            Memory = (256L << 20) + (random.Next(1 << 16) * 4096L),
            HugePage = Maybe(() => 2L << 20),
            Cpu = random.Next(1, 255),
            Processor = new()
            {
                Maximum = Maybe(() => random.Next(1, 255)),
                Sockets = Maybe(() => random.Next(1, 9)),
                Cores = Maybe(() => random.Next(1, 9)),
                Model = Coin() ? "x86-64-v2" : null,
                Features = Coin() ? [] : ["+aes", "-rdtscp"],
                Weight = Maybe(() => random.Next(1, 10001)),
                Quota = Maybe(() => random.Next(1, 1000)),
                Affinity = Coin() ? [] : [new() { Cpu = 0, HostCpus = "0-1" }, new() { HostCpus = "1" }],
            },
            NoHotPlug = Coin(),
            NoSandbox = Coin(),
            Ephemeral = Coin(),
            IoThreads = [.. threads.Select(id => new IoThreadDefinition { Id = id })],
            Drives =
            [
                .. Enumerable.Range(0, random.Next(4)).Select(i => new DriveDefinition
                {
                    Id = $"disk {i}",
                    Path = Path(),
                    ReadOnly = Coin(),
                    Serial = Coin() ? "S1" : null,
                    Io = new()
                    {
                        Direct = Maybe(Coin),
                        Iops = Maybe(() => random.Next(1, 1000)),
                        IoThread = Thread(),
                        QueueCount = Maybe(() => random.Next(1, 33)),
                        Discard = Maybe(() => (DriveDiscard)random.Next(2)),
                        WriteErrorAction = Maybe(() => (DriveErrorAction)random.Next(4)),
                        Snapshot = Maybe(Coin),
                    },
                }),
            ],
            NetworkAdapters =
            [
                .. Enumerable.Range(0, random.Next(3)).Select(i => new NetworkAdapterDefinition
                {
                    Id = $"net{i}",
                    Settings = random.Next(5) == 0 ? new() { SwitchName = "Lan", QueueCount = Maybe(() => 3) } : Coin()
                        ? new() { User = true, PortForward = Coin() ? ["tcp::80-:80", "udp::53-:53"] : null }
                        : new() { TapName = $"tap{i}", MacAddress = Coin() ? "52:54:00:12:34:56" : null, Vhost = Maybe(Coin), QueueCount = Maybe(() => 2), IoThread = Thread(), Connected = Coin() ? false : null },
                }),
            ],
            ConsolePorts =
            [
                .. Enumerable.Range(0, random.Next(3)).Select(i => new ConsolePortDefinition { Id = $"port{i}", Terminal = Coin(), Backend = (ConsolePortBackend)random.Next(3), Path = Coin() ? Path() : null }),
            ],
            SharedFolders = [.. Enumerable.Range(0, random.Next(2)).Select(i => new SharedFolderDefinition { Tag = $"share{i}", Path = Path() })],
            Vsock = Coin() ? new() { GuestCid = random.Next(3, 100) } : null,
            Rng = Coin() ? new() { MaxBytes = random.Next(3) * 1024 } : null,
            Balloon = Coin() ? new() { DeflateOnOom = Coin(), FreePageReporting = Coin() } : null,
        };
    }
}
