using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Strato.Client;
using Strato.Client.Configurations;
using Strato.Protocol.Configuration;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>Configuration files: what is written is read back as it was, and damaged ones are refused with their place.</summary>
public sealed class ConfigurationFileTests
{
    [Fact]
    public void AnExportReadsBackAsItWas() =>
        Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed => IsKept(RandomVm.Make(new Random(seed)))).Check(Config.QuickThrowOnFailure.WithQuietOnSuccess(true).WithMaxTest(500));

    [Fact]
    public void AnExportIsReadable()
    {
        VmDefinition vm = VmForm.Blank() with
        {
            Name = "web's",
            Kernel = "/k",
            Memory = 512 << 20,
            Drives = [new DriveDefinition { Id = "disk0", Path = "/d", Io = new() { Iops = 100 } }],
            Rng = new RngDefinition { MaxBytes = 1536 },
        };
        string text = StratoClient.FormatConfiguration(vm, VmConfigurationFormat.Psd1);
        Assert.Contains("    Name = 'web''s'\n", text, StringComparison.Ordinal);
        Assert.Contains("    Memory = 512MB  # bytes: 256MB to 512GB\n", text, StringComparison.Ordinal);
        Assert.Contains("    Initrd = $null\n", text, StringComparison.Ordinal);
        Assert.Contains("            Iops = 100  # requests a second at most, 0 for no limit\n", text, StringComparison.Ordinal);
        Assert.Contains("        MaxBytes = 1536  # ", text, StringComparison.Ordinal);
        Assert.Contains("    NetworkAdapters = @()\n", text.Replace("  # in the order in which the guest sees them", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public void TheEngineReadsAnExport()
    {
        VmDefinition vm = RandomVm.Make(new Random(7)) with { HugePage = null };
        VmConfiguration engine = ConfigurationReader.Read(ConfigurationFile.Write(vm, VmConfigurationFormat.Json));
        Assert.Equal((vm.Kernel, vm.Initrd, vm.CommandLine, vm.Memory, vm.Cpu), (engine.Kernel, engine.Initrd, engine.CommandLine, engine.Memory, engine.Cpus));
        Assert.Equal(vm.Drives.Select(drive => (drive.Id, drive.Path)), engine.Drives.Select(drive => (drive.Id, drive.File)));
        Assert.NotNull(engine.Strato);
    }

    [Theory]
    [InlineData("@{ a = 1 }", "@{ a = 1 }")]
    [InlineData("@{}", "@{  }")]
    [InlineData("\uFEFF# one\r\n@{ # two\r\n a=1;b = 2\n'c d' = <# three #> 3 }\n# end", "@{ a = 1; b = 2; c d = 3 }")]
    [InlineData("@{ a = 512MB; b = 0x10; c = 1.5kb; d = -3; e = 7L; f = .5KB }", "@{ a = 536870912; b = 16; c = 1536; d = -3; e = 7; f = 512 }")]
    [InlineData("@{ a = $true; b = $FALSE; c = $null }", "@{ a = $true; b = $false; c = $null }")]
    [InlineData("@{ a = 1, 2,\n 3; b = @(1\n2; 3), 4 }", "@{ a = @(1, 2, 3); b = @(@(1, 2, 3), 4) }")]
    [InlineData("@{ a = @(); b = @(@{ c = 1 }\n @{ c = 2 }) }", "@{ a = @(); b = @(@{ c = 1 }, @{ c = 2 }) }")]
    [InlineData("@{ a = \"x`ty`\"`$z`u{1F600}\"\"\" }", "@{ a = 'x\ty\"$z\U0001F600\"' }")]
    [InlineData("@{ a = @'\none\n  two 'x' @\n'@ }", "@{ a = 'one\n  two ''x'' @' }")]
    [InlineData("@{ a = @\"\r\none`n\r\n\"@ ; b = @'\n'@ }", "@{ a = 'one\n'; b = '' }")]
    [InlineData("@{ a = `\n 1 }", "@{ a = 1 }")]
    public void DataIsRead(string text, string expected) => Assert.Equal(expected, DataFileWriter.Inline(DataFileReader.Read(text, out _), null));

    [Theory]
    [InlineData("", "line 1, column 1: a hashtable, @{ … }, is expected")]
    [InlineData("# only", "line 1, column 7: a hashtable")]
    [InlineData("@{ a = 1\n  A = 2 }", "line 2, column 3: 'A' is given twice")]
    [InlineData("@{ a }", "line 1, column 6: '=' is expected behind 'a'")]
    [InlineData("@{ a = 1 b = 2 }", "line 1, column 10: the next line, ';' or '}' is expected")]
    [InlineData("@{ a = 1", "line 1, column 9: the file ends within a hashtable")]
    [InlineData("@{ a = @(1", "the file ends within a list")]
    [InlineData("@{ a = @(1,) }", "a value is expected behind ','")]
    [InlineData("@{ a = 'x", "line 1, column 8: the text has no closing quote")]
    [InlineData("@{ a = @'x'@ }", "a here-string begins on the line behind")]
    [InlineData("@{ a = @'\nx", "the here-string has no end")]
    [InlineData("@{ a = $env:HOME }", "a variable can't be used here; allowed: $true, $false, $null")]
    [InlineData("@{ a = \"$HOME\" }", "a text in double quotes can't have variables here")]
    [InlineData("@{ a = (Get-Date) }", "a text in quotes, a number, $true, $false, $null, @( … ) or @{ … } is expected")]
    [InlineData("@{ a = b }", "line 1, column 8: a text in quotes")]
    [InlineData("@{ a = 1.5 }", "'1.5' is no whole number")]
    [InlineData("@{ a = 99999999999999999999 }", "is no whole number")]
    [InlineData("@{ a = 9999999PB }", "is no whole number")]
    [InlineData("@{ a = \"`u{D800}\" }", "`u{…} is a character's number")]
    [InlineData("@{ } x", "the file goes on behind its hashtable")]
    [InlineData("@{ <# }", "the comment <# has no #>")]
    public void WhatIsNoDataIsRefusedWithItsPlace(string text, string message) =>
        Assert.Contains(message, Assert.Throws<FormatException>(() => DataFileReader.Read(text, out _)).Message, StringComparison.Ordinal);

    [Fact]
    public void DepthHasItsEnd() =>
        Assert.Contains("deep at most", Assert.Throws<FormatException>(() => DataFileReader.Read("@{ a = " + string.Concat(Enumerable.Repeat("@(", 10_000)), out _)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("@{ Name = 'a'\n  Memroy = 512MB }", "In '/c/x.psd1', line 2, Memroy: the setting 'Memroy' is unknown (did you mean Memory?); allowed here: Name, Notes, ")]
    [InlineData("@{ Drives = @(\n @{ Id = 'd'; Path = '/d' }\n @{ Id = 'e'; Path = '/e'\n Iop = 3 }) }", "line 4, Drives[1].Iop: the setting 'Iop' is unknown (did you mean Iops?); allowed here: Id, Path,")]
    [InlineData("@{ Drives = @{ Id = 'd' } }", "line 1, Drives: 'Path' is missing")]
    [InlineData("@{ Memory = '512MB' }", "line 1, Memory: it is the text '512MB'; a whole number is expected")]
    [InlineData("@{ ReadOnly = 1 }", "'ReadOnly' is unknown")]
    [InlineData("@{ NoHotPlug = 1 }", "NoHotPlug: it is the number 1; $true or $false is expected")]
    [InlineData("@{ Balloon = $true }", "Balloon: it is $true; a hashtable of settings is expected")]
    [InlineData("@{ Drives = @{ Id = 'd'; Path = '/d'; Cache = 'wirteback' } }", "Drives.Cache: 'wirteback' is unknown (did you mean writeback?); allowed: writeback, none,")]
    public void ASettingThatIsWrongIsRefusedWithItsPlace(string text, string message)
    {
        StratoException error = Assert.Throws<StratoException>(() => Read(text, VmConfigurationFormat.Psd1));
        Assert.Equal("InvalidConfiguration", error.Id);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"machine-config\": {\n\"vcpu_cuont\": 2}}", "UnknownField", "In '/c/x.psd1', line 2, machine-config.vcpu_cuont: The field 'vcpu_cuont' is unknown (did you mean vcpu_count?)")]
    [InlineData("{\"strato\": {\n\"Nmae\": \"x\"}}", "InvalidConfiguration", "In '/c/x.psd1', line 2, Nmae: the setting 'Nmae' is unknown (did you mean Name?)")]
    [InlineData("{\"strato\": {\"Name\": \"x\", \"name\": \"y\"}}", "DuplicateField", "strato.name: The field is given twice")]
    [InlineData("{\"strato\": {\"Memory\": 1.5}}", "InvalidField", "strato.Memory: The value is the number 1.5")]
    [InlineData("{\"strato\": 3}", "InvalidField", "strato: The value is the number 3; it must be an object")]
    [InlineData("{", "InvalidJson", "ends early")]
    public void JsonThatIsWrongIsRefusedWithItsPlace(string text, string id, string message)
    {
        StratoException error = Assert.Throws<StratoException>(() => Read(text, VmConfigurationFormat.Json));
        Assert.Equal(id, error.Id);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatTheEnginesJsonSaysAndNoVmHasIsTold()
    {
        List<string> warnings = [];
        _ = ConfigurationFile.Parse("""{"machine-config": {"dump_guest_core": false, "mem_prealloc": true, "mem_merge": true, "mem-share": true, "mem_path": "/nowhere"}}"""u8.ToArray(), "x", "/c", VmConfigurationFormat.Json, warnings);
        Assert.Equal(["dump_guest_core", "mem-share", "mem_prealloc", "mem_merge", "mem_path"], warnings.Select(warning => warning.Split(' ', '.')[1]));
    }

    [Fact]
    public void PathsAreRelativeToTheFile()
    {
        VmDefinition vm = Read("@{ Kernel = 'vmlinuz'; Initrd = '../i'; Drives = @{ Id = 'd'; Path = '/d' } }", VmConfigurationFormat.Psd1);
        Assert.Equal(("/c/vmlinuz", "/i", "/d"), (vm.Kernel, vm.Initrd, vm.Drives[0].Path));
        Assert.Equal("/c/k", Read("""{"boot-source": {"kernel_image_path": "k"}}""", VmConfigurationFormat.Json).Kernel);
    }

    /// <summary>Whatever is done to a file, it is read or refused in order; and what is read can be written and reads back as the same.</summary>
    [Theory]
    [InlineData(VmConfigurationFormat.Psd1)]
    [InlineData(VmConfigurationFormat.Json)]
    public void DamagedFilesAreRefusedInOrder(VmConfigurationFormat format)
    {
        Random random = new(5);
        int taken = 0;
        for (int i = 0; i < 3000; i++)
        {
            byte[] bytes = ConfigurationFile.Write(RandomVm.Make(random), format);
            for (int hits = 1 << random.Next(4); hits > 0; hits--)
            {
                bytes = Damage(bytes, random);
            }

            try
            {
                VmDefinition vm = VmForm.Vm.Read(VmForm.Blank(), ConfigurationFile.Parse(bytes, "x", "/c", format, []), whole: true);
                taken++;
                Assert.True(IsKept(vm));
            }
            catch (StratoException)
            {
                // Refused, which is right.
            }
        }

        Assert.InRange(taken, 1, 2900);
    }

    private static byte[] Damage(byte[] bytes, Random random)
    {
        List<byte> damaged = [.. bytes];
        int at = random.Next(damaged.Count);
        int length = Math.Min(random.Next(1, 20), damaged.Count - at);
        switch (random.Next(5))
        {
            case 0:
                damaged[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1:
                damaged.RemoveRange(at, length);
                break;
            case 2:
                damaged.InsertRange(at, damaged.GetRange(at, length));
                break;
            case 3:
                damaged.InsertRange(at, Encoding.UTF8.GetBytes(((string[])["@{", "@(", "'", "\"", "}", ")", "$null", "\n", "1MB", "<#", "@'\n", "{", "[", "\u2019"])[random.Next(14)]));
                break;
            default:
                damaged.RemoveRange(at, damaged.Count - at);
                break;
        }

        return damaged.Count == 0 ? [0] : [.. damaged];
    }

    private static VmDefinition Read(string text, VmConfigurationFormat format) =>
        VmForm.Vm.Read(VmForm.Blank(), ConfigurationFile.Parse(Encoding.UTF8.GetBytes(text), "/c/x.psd1", "/c", format, []), whole: true);

    private static bool IsKept(VmDefinition vm)
    {
        string before = Shown(vm);
        foreach (VmConfigurationFormat format in Enum.GetValues<VmConfigurationFormat>())
        {
            byte[] written;
            ConfigValue back;
            try
            {
                written = ConfigurationFile.Write(vm, format);
                back = ConfigurationFile.Parse(written, "x", "/c", format, []);
            }
            catch (StratoException) when (format == VmConfigurationFormat.Json)
            {
                // The engine's own limits, which a damaged file may be beyond.
                continue;
            }

            // From something else, so that an export is seen to say all.
            VmDefinition read = VmForm.Vm.Read(RandomVm.Make(new Random(99)), back, whole: true);
            Assert.Equal(before, Shown(read));
        }

        return true;
    }

    private static string Shown(VmDefinition vm) => DataFileWriter.Inline(VmForm.Vm.Write(vm, all: true), null);
}
