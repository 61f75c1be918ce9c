using System;
using System.Collections.Concurrent;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading;
using FsCheck;
using FsCheck.Fluent;
using Strato.Client;
using Strato.Client.Store;
using Xunit;

namespace Strato.Tests.Unit.Client;

public sealed class VmStoreTests : IDisposable
{
    private readonly ClientFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public void WhatIsCreatedIsReadBack()
    {
        string initrd = _fixture.WriteFile("initrd.img", "initrd");
        VmDefinition made = _fixture.Client.Create(new VmSettings
        {
            Name = "Wéb, server 雲 🚀",
            Kernel = _fixture.Kernel,
            Initrd = initrd,
            CommandLine = "a=\"b c\" 'd'",
            Memory = 1L << 30,
            Cpu = 254,
            Notes = "line\nline",
        });
        VmDefinition read = _fixture.Client.Get("WÉB, server 雲 🚀");
        Assert.Equal(made with { Drives = read.Drives, NetworkAdapters = read.NetworkAdapters, IoThreads = read.IoThreads, ConsolePorts = read.ConsolePorts, SharedFolders = read.SharedFolders, Extra = read.Extra }, read);
        Assert.Equal(made.Id, read.Id);
        Assert.Matches("^[a-z0-9]{8}$", made.Id);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_fixture.Paths.DefinitionFile(made.Id)));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_fixture.Paths.StateRoot));
    }

    [Fact]
    public void DefaultsAreFilledIn()
    {
        VmDefinition vm = _fixture.Client.Create(new VmSettings { Name = "a", Kernel = _fixture.Kernel });
        Assert.Equal(("microvm", 512L << 20, 1, StratoClient.DefaultCommandLine), (vm.Machine, vm.Memory, vm.Cpu, vm.CommandLine));
        Assert.Empty(vm.Drives);
    }

    [Fact]
    public void AnEmptyStoreIsEmpty()
    {
        Assert.Empty(_fixture.Client.List().Definitions);
        Assert.Empty(_fixture.Client.Find("*"));
        Assert.Contains("'web'", ClientFixture.Fails("VmNotFound", () => _fixture.Client.Get("web")).Message, StringComparison.Ordinal);
        ClientFixture.Fails("VmNotFound", () => _fixture.Client.GetById("../../etc"));
    }

    [Theory]
    [InlineData("", "0 characters")]
    [InlineData("a/b", "a slash")]
    [InlineData("a\nb", "U+000A")]
    [InlineData("a\u007fb", "U+007F")]
    [InlineData(" a", "begins or ends with a space")]
    public void ABadNameIsRefused(string name, string expected)
    {
        StratoException error = ClientFixture.Fails("InvalidName", () => _fixture.Create(name));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Equal("-Name", error.Where);
        Assert.Equal(StratoErrorKind.InvalidArgument, error.Kind);
        Assert.Empty(_fixture.Client.List().Definitions);
    }

    [Fact]
    public void ANameWithHalfACharacterIsRefused() =>
        Assert.Contains("surrogate", ClientFixture.Fails("InvalidName", () => _fixture.Create("a\ud800b")).Message, StringComparison.Ordinal);

    [Fact]
    public void ANameOf256CharactersIsRefusedAnd255AreNot()
    {
        _fixture.Create(new string('雲', 255));
        Assert.Contains("256", ClientFixture.Fails("InvalidName", () => _fixture.Create(new string('x', 256))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ANameIsUniqueWhateverItsCase()
    {
        _fixture.Create("Web");
        Assert.Contains("'Web' exists already", ClientFixture.Fails("VmExists", () => _fixture.Create("Web")).Message, StringComparison.Ordinal);
        Assert.Contains("in case only", ClientFixture.Fails("VmExists", () => _fixture.Create("wEB")).Message, StringComparison.Ordinal);
        VmDefinition other = _fixture.Create("other");
        ClientFixture.Fails("VmExists", () => _fixture.Client.Update(other.Id, new VmSettings { Name = "WEB" }));
        Assert.Equal("OTHER", _fixture.Client.Update(other.Id, new VmSettings { Name = "OTHER" }).Name);
    }

    [Theory]
    [InlineData(100L << 20, 1, "InvalidMemory", "100")]
    [InlineData(600L << 30, 1, "InvalidMemory", "512")]
    [InlineData((256L << 20) + 1, 1, "InvalidMemory", "page size")]
    [InlineData(512L << 20, 0, "InvalidCpuCount", "1 to 254")]
    [InlineData(512L << 20, 255, "InvalidCpuCount", "255")]
    public void SizesOutOfRangeAreRefused(long memory, int cpu, string id, string expected) =>
        Assert.Contains(expected, ClientFixture.Fails(id, () => _fixture.Client.Create(new VmSettings { Name = "a", Kernel = _fixture.Kernel, Memory = memory, Cpu = cpu })).Message, StringComparison.Ordinal);

    [Fact]
    public void AKernelMustBeAFile()
    {
        ClientFixture.Fails("KernelMissing", () => _fixture.Client.Create(new VmSettings { Name = "a" }));
        string missing = Path.Combine(_fixture.Root, "no");
        Assert.Contains(missing, ClientFixture.Fails("KernelNotFound", () => _fixture.Client.Create(new VmSettings { Name = "a", Kernel = missing })).Message, StringComparison.Ordinal);
        Assert.Contains("folder", ClientFixture.Fails("KernelNotFile", () => _fixture.Client.Create(new VmSettings { Name = "a", Kernel = _fixture.Root })).Message, StringComparison.Ordinal);
        Assert.Contains("not absolute", ClientFixture.Fails("InvalidPath", () => _fixture.Client.Create(new VmSettings { Name = "a", Kernel = "vmlinuz" })).Message, StringComparison.Ordinal);
        ClientFixture.Fails("InitrdNotFound", () => _fixture.Client.Create(new VmSettings { Name = "a", Kernel = _fixture.Kernel, Initrd = missing }));
        Assert.Contains("microvm", ClientFixture.Fails("UnknownMachineType", () => _fixture.Client.Create(new VmSettings { Name = "a", Kernel = _fixture.Kernel, Machine = "q35" })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnUpdateChangesWhatIsGivenAndNothingElse()
    {
        string initrd = _fixture.WriteFile("initrd", "");
        VmDefinition before = _fixture.Client.Create(new VmSettings { Name = "a", Kernel = _fixture.Kernel, Initrd = initrd, Notes = "n" });
        VmDefinition after = _fixture.Client.Update(before.Id, new VmSettings { Cpu = 4, Initrd = "" });
        Assert.Equal((4, null, "n", "a"), (after.Cpu, after.Initrd, after.Notes, after.Name));
        Assert.Equal(after.Cpu, _fixture.Client.GetById(before.Id).Cpu);
    }

    [Theory]
    [InlineData("{\"version\":1,\"name\":\"broken\",\"id\":", "not JSON")]
    [InlineData("{\"version\":1,\"name\":\"broken\"}", "id is missing")]
    [InlineData("{\"version\":7,\"name\":\"broken\"}", "version is 7")]
    [InlineData("[1]", "an object is expected")]
    [InlineData("", "not JSON")]
    public void ADamagedDefinitionIsReportedAndTheOthersAreListed(string json, string expected)
    {
        _fixture.Create("good");
        VmDefinition bad = _fixture.Create("broken");
        File.WriteAllText(_fixture.Paths.DefinitionFile(bad.Id), json);
        VmListing all = _fixture.Client.List();
        Assert.Equal("good", Assert.Single(all.Definitions).Name);
        DamagedVm damaged = Assert.Single(all.Damaged);
        Assert.Equal(_fixture.Paths.DefinitionFile(bad.Id), damaged.Path);
        Assert.Contains(expected, damaged.Error.Message, StringComparison.Ordinal);
        Assert.Contains(damaged.Path, damaged.Error.Message, StringComparison.Ordinal);
        if (json.Contains("broken", StringComparison.Ordinal))
        {
            Assert.Equal("broken", damaged.Name);
            ClientFixture.Fails("VmDefinitionDamaged", () => _fixture.Client.Get("Broken"));
            ClientFixture.Fails("VmExists", () => _fixture.Create("broken"));
        }

        _fixture.Client.Delete(bad.Id);
        Assert.Empty(_fixture.Client.List().Damaged);
    }

    [Theory]
    [InlineData("\"memory\": 536870912", "\"memory\": \"x\"", "memory is \"x\"; a whole number")]
    [InlineData("\"cpu\": 1", "\"cpu\": 1.5", "cpu is 1.5")]
    [InlineData("\"drives\": []", "\"drives\": [{\"id\":\"a\"}]", "drives[0].path is missing")]
    [InlineData("\"drives\": []", "\"drives\": [{\"id\":\"a\",\"path\":\"/a\",\"readOnly\":1}]", "drives[0].readOnly is 1")]
    [InlineData("\"notes\": \"\"", "\"notes\": \"\", \"notes\": \"\"", "notes is there twice")]
    public void AWrongFieldIsNamedByItsPath(string before, string after, string expected)
    {
        VmDefinition vm = _fixture.Create();
        string path = _fixture.Paths.DefinitionFile(vm.Id);
        string json = File.ReadAllText(path);
        Assert.Contains(before, json, StringComparison.Ordinal);
        File.WriteAllText(path, json.Replace(before, after, StringComparison.Ordinal));
        Assert.Contains(expected, Assert.Single(_fixture.Client.List().Damaged).Error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FieldsOfANewerVersionAreKept()
    {
        VmDefinition vm = _fixture.Create();
        _fixture.Client.AddDrive(vm.Id, new DriveSettings { Path = _fixture.Kernel });
        string path = _fixture.Paths.DefinitionFile(vm.Id);
        File.WriteAllText(path, File.ReadAllText(path)
            .Replace("\"notes\"", "\"network\": [{\"id\": 1e3}], \"notes\"", StringComparison.Ordinal)
            .Replace("\"readOnly\"", "\"throttle\": {\"iops\": 5}, \"readOnly\"", StringComparison.Ordinal));
        _fixture.Client.Update(vm.Id, new VmSettings { Cpu = 2 });
        string after = Regex.Replace(File.ReadAllText(path), @"\s", "");
        Assert.Contains("\"network\":[{\"id\":1e3}]", after, StringComparison.Ordinal);
        Assert.Contains("\"throttle\":{\"iops\":5}", after, StringComparison.Ordinal);
    }

    [Fact]
    public void OfManyMakersOfOneNameOneWins()
    {
        ConcurrentBag<string> outcomes = [];
        InParallel(8, _ =>
        {
            try
            {
                new StratoClient(_fixture.Paths).Create(new VmSettings { Name = "same", Kernel = _fixture.Kernel });
                outcomes.Add("made");
            }
            catch (StratoException e)
            {
                outcomes.Add(e.Id);
            }
        });
        Assert.Equal(1, outcomes.Count(o => o == "made"));
        Assert.Equal(7, outcomes.Count(o => o == "VmExists"));
        Assert.Single(_fixture.Client.List().Definitions);
    }

    [Fact]
    public void NoUpdateIsLost()
    {
        VmDefinition vm = _fixture.Create();
        InParallel(4, _ =>
        {
            VmStore store = new(_fixture.Paths);
            for (int i = 0; i < 10; i++)
            {
                store.Update(vm.Id, rename: false, d => d with { Cpu = d.Cpu + 1 }, default);
            }
        });
        Assert.Equal(41, _fixture.Client.GetById(vm.Id).Cpu);
    }

    [Fact]
    public void WhoWaitsForTheLockOfAVmThatIsRemovedIsTold()
    {
        VmDefinition vm = _fixture.Create();
        VmStore store = new(_fixture.Paths);
        using ManualResetEventSlim waiting = new();
        StratoException? error = null;
        Thread other;
        using (store.Lock(vm.Id, default))
        {
            other = new Thread(() =>
            {
                waiting.Set();
                error = Assert.Throws<StratoException>(() => store.Lock(vm.Id, default));
            });
            other.Start();
            waiting.Wait(_fixture.Token);
            Directory.Move(_fixture.Paths.VmDirectory(vm.Id), Path.Combine(_fixture.Paths.VmsDirectory, ".old-x"));
        }

        other.Join();
        Assert.Equal("VmNotFound", error!.Id);
    }

    [Fact]
    public void AHeldLockCanBeWaitedForNoLongerThanAllowedAndGivenUp()
    {
        VmDefinition vm = _fixture.Create();
        VmStore store = new(_fixture.Paths);
        using FileLock held = store.Lock(vm.Id, default);
        ClientFixture.Fails("VmBusy", () => store.Lock(vm.Id, default, TimeSpan.FromMilliseconds(30)));
        using CancellationTokenSource cancelled = new(TimeSpan.FromMilliseconds(30));
        Assert.ThrowsAny<OperationCanceledException>(() => store.Lock(vm.Id, cancelled.Token));
    }

    [Fact]
    public void DrivesAreAddedAndRemoved()
    {
        VmDefinition vm = _fixture.Create();
        string image = _fixture.WriteFile("disk, with=comma.img", new string('x', 512));
        Assert.Equal("disk0", _fixture.Client.AddDrive(vm.Id, new DriveSettings { Path = image }).Id);
        Assert.Equal("disk1", _fixture.Client.AddDrive(vm.Id, new DriveSettings { Path = image, ReadOnly = true, Serial = "S-1" }).Id);
        _fixture.Client.RemoveDrive(vm.Id, "DISK0");
        Assert.Equal("disk0", _fixture.Client.AddDrive(vm.Id, new DriveSettings { Path = image }).Id);
        Assert.Equal(["disk1", "disk0"], _fixture.Client.Get("web").Drives.Select(d => d.Id));
        Assert.Equal((true, "S-1"), (_fixture.Client.Get("web").Drives[0].ReadOnly, _fixture.Client.Get("web").Drives[0].Serial));
        ClientFixture.Fails("DriveExists", () => _fixture.Client.AddDrive(vm.Id, new DriveSettings { Path = image, Id = "Disk1" }));
        ClientFixture.Fails("DriveFileNotFound", () => _fixture.Client.AddDrive(vm.Id, new DriveSettings { Path = image + "x" }));
        Assert.Contains("21", ClientFixture.Fails("InvalidSerialNumber", () => _fixture.Client.AddDrive(vm.Id, new DriveSettings { Path = image, Serial = new string('s', 21) })).Message, StringComparison.Ordinal);
        ClientFixture.Fails("DriveNotFound", () => _fixture.Client.RemoveDrive(vm.Id, "root"));
        for (int i = 2; i < 6; i++)
        {
            _fixture.Client.AddDrive(vm.Id, new DriveSettings { Path = image });
        }

        Assert.Contains("at most 6", ClientFixture.Fails("TooManyDrives", () => _fixture.Client.AddDrive(vm.Id, new DriveSettings { Path = image })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NamesAreFoundByWildcard()
    {
        foreach (string name in (string[])["web1", "Web2", "db", "a[1]", "a*"])
        {
            _fixture.Create(name);
        }

        Assert.Equal(["web1", "Web2"], Names("WEB*"));
        Assert.Equal(["web1"], Names("web[0-1]"));
        Assert.Equal(["db"], Names("?b"));
        Assert.Equal(["a[1]"], Names("a[1]"));
        Assert.Equal(["a*"], Names("a*"));
        Assert.Equal(["a[1]"], Names("a`[*"));
        Assert.Empty(Names("nothing*"));
        Assert.Equal(5, Names("*").Length);

        string[] Names(string pattern) => [.. _fixture.Client.Find(pattern).Select(vm => vm.Name)];
    }

    [Fact]
    public void AWildcardMeansWhatTheSameRegexMeans()
    {
        Gen<string> patterns = Gen.Elements('a', 'b', '*', '?', 'B').ArrayOf().Select(c => new string(c));
        Gen<string> texts = Gen.Elements('a', 'b', 'A').ArrayOf().Select(c => new string(c));
        Prop.ForAll(patterns.ToArbitrary(), texts.ToArbitrary(), (pattern, text) =>
        {
            string regex = "^" + Regex.Escape(pattern).Replace("\\*", ".*", StringComparison.Ordinal).Replace("\\?", ".", StringComparison.Ordinal) + "$";
            return Wildcard.Matches(pattern, text) == Regex.IsMatch(text, regex, RegexOptions.IgnoreCase | RegexOptions.Singleline);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void AnyDefinitionIsReadAsItWasWritten()
    {
        Gen<string> texts = Gen.Elements("a", "\"", "\\", "\n", "\u0000", "é", "🚀", "<&>", "\u2028", "}").ArrayOf().Select(string.Concat);
        Gen<VmDefinition> definitions =
            from name in texts
            from initrd in Gen.Elements(null, "/i")
            from line in texts
            from memory in Gen.Choose(int.MinValue, int.MaxValue)
            from cpu in Gen.Choose(int.MinValue, int.MaxValue)
            from drives in texts.Select(t => new DriveDefinition { Id = t, Path = t + "/", ReadOnly = t.Length % 2 == 0, Serial = t.Length % 3 == 0 ? t : null }).ArrayOf()
            select new VmDefinition { Id = "abcdefgh", Name = name, Machine = "m", Kernel = "/k", Initrd = initrd, CommandLine = line, Memory = memory * 4096L, Cpu = cpu, Drives = drives, Created = DateTimeOffset.UnixEpoch.AddTicks(memory), Notes = line };
        Prop.ForAll(definitions.ToArbitrary(), vm =>
        {
            VmDefinition read = DefinitionJson.Read(DefinitionJson.Write(vm), "abcdefgh");
            return read with { Drives = vm.Drives, NetworkAdapters = vm.NetworkAdapters, IoThreads = vm.IoThreads, ConsolePorts = vm.ConsolePorts, SharedFolders = vm.SharedFolders, Extra = vm.Extra } == vm
                && read.Drives.Select(d => d with { Extra = [] }).SequenceEqual(vm.Drives.Select(d => d with { Extra = [] }));
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void DevicesAreWrittenAsTheyWereReadWithWhatANewerVersionKnows()
    {
        byte[] json = """
            {
              "version": 1,
              "name": "a",
              "id": "abcdefgh",
              "machine": "microvm",
              "kernel": "/k",
              "commandLine": "",
              "memory": 1,
              "cpu": 1,
              "drives": [],
              "networkAdapters": [
                {
                  "id": "net0",
                  "type": "tap",
                  "tap": "tap0",
                  "mac": "52:54:00:12:34:56",
                  "queues": "4",
                  "vhost": "on",
                  "iothread": "fast",
                  "connected": "off",
                  "new": 0
                },
                {
                  "id": "net1",
                  "type": "user",
                  "hostfwd": "tcp::2222-:22 udp::53-:53"
                }
              ],
              "ioThreads": [
                {
                  "id": "fast",
                  "new": 5
                },
                {
                  "id": "idle"
                }
              ],
              "consolePorts": [
                {
                  "id": "hvc0",
                  "terminal": true,
                  "backend": "socket",
                  "new": 1
                },
                {
                  "id": "p",
                  "terminal": false,
                  "backend": "file",
                  "path": "/p"
                }
              ],
              "sharedFolders": [
                {
                  "tag": "t",
                  "path": "/f",
                  "new": 5
                }
              ],
              "vsock": {
                "guestCid": 4294967294,
                "new": 2
              },
              "rng": {
                "source": "/s",
                "maxBytes": 3,
                "period": 4,
                "new": 3
              },
              "balloon": {
                "deflateOnOom": true,
                "freePageReporting": false,
                "new": 4
              },
              "created": "1970-01-01T00:00:00.0000000+00:00",
              "notes": ""
            }

            """u8.ToArray();
        VmDefinition read = DefinitionJson.Read(json, "abcdefgh");
        Assert.Equal([("hvc0", true, ConsolePortBackend.Socket, null), ("p", false, ConsolePortBackend.File, "/p")], read.ConsolePorts.Select(port => (port.Id, port.Terminal, port.Backend, port.Path)));
        Assert.Equal(("t", "/f"), (Assert.Single(read.SharedFolders).Tag, read.SharedFolders[0].Path));
        Assert.Equal((4294967294, "/s", 3L, 4L, true), (read.Vsock!.GuestCid, read.Rng!.Source, read.Rng.MaxBytes, read.Rng.Period, read.Balloon!.DeflateOnOom));
        Assert.Equal(Encoding.UTF8.GetString(json), Encoding.UTF8.GetString(DefinitionJson.Write(read)));
    }

    [Theory]
    [InlineData("\"networkAdapters\": [{\"id\": \"a\", \"type\": \"tap\"}]", "type of a network adapter is 'tap'; allowed: user, or tap or switch with its name")]
    [InlineData("\"networkAdapters\": [{\"id\": \"a\", \"type\": \"user\", \"queues\": \"two\"}]", "queues of a network adapter is 'two'; a whole number is expected")]
    [InlineData("\"networkAdapters\": [{\"id\": \"a\", \"type\": \"user\", \"vhost\": \"yes\"}]", "vhost of a network adapter is 'yes'; allowed: on, off")]
    [InlineData("\"consolePorts\": {}", "consolePorts is of kind Object; an array is expected")]
    [InlineData("\"consolePorts\": [{\"id\": \"a\", \"backend\": \"pipe\"}]", "backend of a console port is 'pipe'; allowed: socket, file, pty")]
    [InlineData("\"sharedFolders\": [{\"tag\": \"t\"}]", "sharedFolders[0].path is missing")]
    [InlineData("\"vsock\": {}", "vsock.guestCid is missing")]
    [InlineData("\"rng\": {\"maxBytes\": \"1\"}", "rng.maxBytes is \"1\"; a whole number is expected")]
    [InlineData("\"balloon\": []", "balloon is of kind Array; an object is expected")]
    public void ADamagedDeviceIsNamed(string field, string fault)
    {
        byte[] json = Encoding.UTF8.GetBytes($$"""{"version": 1, "id": "abcdefgh", "name": "a", "machine": "m", "kernel": "/k", "memory": 1, "cpu": 1, "created": "1970-01-01T00:00:00Z", {{field}}}""");
        Assert.Equal(fault, Assert.Throws<FormatException>(() => DefinitionJson.Read(json, "abcdefgh")).Message);
    }

    [Fact]
    public void ANameIsReadFromAsMuchOfAFileAsThereIs()
    {
        VmDefinition vm = _fixture.Create("näme");
        byte[] json = File.ReadAllBytes(_fixture.Paths.DefinitionFile(vm.Id));
        int known = json.AsSpan().IndexOf(Encoding.UTF8.GetBytes("näme")) + 6;
        for (int length = 0; length < json.Length; length++)
        {
            string? name = DefinitionJson.TryReadName(json.AsSpan(0, length));
            Assert.True(name == (length >= known ? "näme" : null), $"{length} bytes: {name}");
        }
    }

    private static void InParallel(int count, Action<int> work)
    {
        using Barrier start = new(count);
        Thread[] threads = [.. Enumerable.Range(0, count).Select(i => new Thread(() =>
        {
            start.SignalAndWait();
            work(i);
        }))];
        foreach (Thread thread in threads)
        {
            thread.Start();
        }

        foreach (Thread thread in threads)
        {
            thread.Join();
        }
    }
}
