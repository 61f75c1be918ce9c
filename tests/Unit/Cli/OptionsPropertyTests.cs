using System;
using System.Linq;
using FsCheck;
using FsCheck.Fluent;
using Strato.Engine.Cli;
using Strato.Protocol;
using Xunit;

namespace Strato.Tests.Unit.Cli;

public class OptionsPropertyTests
{
    [Fact]
    public void AnyArgumentsGiveOptionsOrAUsersError()
    {
        string[] names = [.. OptionTable.HelpText().Split('\n').Where(line => line.StartsWith("  -", StringComparison.Ordinal)).Select(line => line.Trim().Split(' ')[0])];
        Assert.True(Array.IndexOf(names, "-kernel") >= 0);
        Gen<string> words = Gen.Frequency(
            (6, Gen.Elements(names)),
            (6, Gen.Elements(
                "k", "", "microvm", "type=microvm", "file=/a,id=a", "file=/b,id=b,readonly", "id=a", "virtio-blk-device,drive=a", "unix:/a,server,nowait",
                "unix:", "stdio", "console,socket=/s", ",", ",,", "=", "a=b=c", "1G", "4", "cpus=", "-", "--", "--kernel", "/dev/null", "file:,x", "no", "nono=")),
            (1, ArbMap.Default.GeneratorFor<string>().Select(text => text ?? "")));
        Prop.ForAll(
            words.ArrayOf().ToArbitrary(),
            args =>
            {
                try
                {
                    Options options = Options.Parse(args);
                    Assert.True(options.Help || options.Version || options.Probe || options.Configuration.Kernel is not null);
                }
                catch (UserErrorException e)
                {
                    Assert.NotEmpty(e.Message);
                }
            }).Check(Config.QuickThrowOnFailure.WithMaxTest(5000).WithQuietOnSuccess(true));
    }

    [Fact]
    public void AValueComesThroughItsCommas()
    {
        Prop.ForAll(
            Gen.Elements("a,b=/- ".ToCharArray()).NonEmptyListOf().Select(chars => new string([.. chars])).ToArbitrary(),
            path =>
            {
                Options options = Options.Parse(["-kernel", "k", "-drive", $"id=a,file={path.Replace(",", ",,", StringComparison.Ordinal)},readonly=on"]);
                Assert.Equal(path, options.Configuration.Drives[0].File);
                Assert.True(options.Configuration.Drives[0].ReadOnly);
            }).Check(Config.QuickThrowOnFailure.WithMaxTest(500).WithQuietOnSuccess(true));
    }
}
