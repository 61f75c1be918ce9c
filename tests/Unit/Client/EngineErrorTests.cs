using System;
using System.Text;
using Strato.Client;
using Strato.Client.Runtime;
using Strato.Engine.Block;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.PowerShell.Commands;
using Strato.Protocol;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>The engine's errors as a cmdlet's user reads them: they name what can be typed there.</summary>
public class EngineErrorTests
{
    [Fact]
    public void AnEmulatingKvmIsToldWithTheCmdletsSwitch()
    {
        KvmVerdict verdict = KvmVerdict.OfSpeed(new SpeedCheck.Result(2.5, null, 0));
        Assert.DoesNotContain("-force", verdict.Reason, StringComparison.Ordinal);
        UserErrorException error = verdict.ToError();
        Assert.EndsWith("(-force tries all the same)", error.ToLine(), StringComparison.Ordinal);
        Assert.Equal($"{error.Message} (-{nameof(StartStratoVmCommand.AllowEmulation)} tries all the same)", AtTheCmdlet(error).Message);
    }

    [Fact]
    public void ADiskOpenElsewhereIsToldWithTheCmdletsSwitch()
    {
        using TemporaryFile file = new(512);
        using DiskImage holder = DiskOpener.Open(new DriveOptions("first", file.Path, ReadOnly: true));
        UserErrorException error = Assert.Throws<UserErrorException>(() => DiskOpener.Open(new DriveOptions("second", file.Path)));
        Assert.EndsWith("(readonly=on opens it for reading)", error.ToLine(), StringComparison.Ordinal);
        string message = AtTheCmdlet(error).Message;
        Assert.EndsWith($"(Remove-StratoDrive and then Add-StratoDrive -{nameof(AddStratoDriveCommand.ReadOnly)} make it a drive that is only read)", message, StringComparison.Ordinal);
        Assert.DoesNotContain("readonly=", message, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatHasNoAdviceIsToldAsItIs()
    {
        UserErrorException error = KvmVerdict.OfOpenError(new LinuxException("open", Errno.EACCES)).ToError();
        Assert.Equal((error.Id, error.Message), (AtTheCmdlet(error).Id, AtTheCmdlet(error).Message));
    }

    private static StratoException AtTheCmdlet(UserErrorException error) =>
        ReadinessPipe.TryParseError(Encoding.UTF8.GetString(error.ToJsonLine()), "vm")!;
}
