using System;
using System.Management.Automation;
using System.Text;
using System.Text.Json;
using Strato.Client;
using Strato.Client.Qmp;
using Strato.Client.Runtime;
using Strato.Engine.Block;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.PowerShell;
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

    [Theory]
    [InlineData(KvmVerdict.Emulated)]
    [InlineData(KvmVerdict.NoPermission)]
    [InlineData(KvmVerdict.Absent)]
    public void WhatToDoAboutKvmIsToldOnce(string verdict) =>
        Assert.Null(AtTheCmdlet(new KvmVerdict(verdict, "It is so; do that.", null).ToError()).RecommendedAction);

    [Theory]
    [InlineData("KernelNotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("KernelNotReadable", ErrorCategory.PermissionDenied)]
    [InlineData("InitrdFormat", ErrorCategory.InvalidData)]
    [InlineData("KernelTruncated", ErrorCategory.InvalidData)]
    [InlineData("KernelTooLarge", ErrorCategory.InvalidArgument)]
    [InlineData("DriveSize", ErrorCategory.InvalidArgument)]
    [InlineData("DriveNotAFile", ErrorCategory.InvalidArgument)]
    [InlineData("DriveReadOnly", ErrorCategory.PermissionDenied)]
    [InlineData("DrivePermission", ErrorCategory.PermissionDenied)]
    [InlineData("DriveLocked", ErrorCategory.ResourceBusy)]
    [InlineData("DriveFailed", ErrorCategory.DeviceError)]
    [InlineData("LogFileNotWritable", ErrorCategory.PermissionDenied)]
    [InlineData("SocketExists", ErrorCategory.ResourceBusy)]
    [InlineData("TooManyDevices", ErrorCategory.InvalidArgument)]
    [InlineData("CommandLineTooLong", ErrorCategory.InvalidArgument)]
    [InlineData("DuplicateId", ErrorCategory.InvalidArgument)]
    [InlineData("KvmEmulated", ErrorCategory.ResourceUnavailable)]
    [InlineData("HostError", ErrorCategory.DeviceError)]
    [InlineData("SomethingNew", ErrorCategory.DeviceError)]
    public void EachErrorHasItsCategory(string id, ErrorCategory category)
    {
        StratoException error = AtTheCmdlet(new UserErrorException(id, "It is so."));
        Assert.Equal(category, ErrorRecords.From(error, "vm").CategoryInfo.Category);
    }

    [Theory]
    [InlineData("GenericError", ErrorCategory.InvalidOperation)]
    [InlineData("CommandNotFound", ErrorCategory.InvalidArgument)]
    [InlineData("DeviceNotFound", ErrorCategory.ObjectNotFound)]
    public void EachErrorOfQmpHasItsCategory(string errorClass, ErrorCategory category)
    {
        using JsonDocument answer = JsonDocument.Parse($$"""{"error":{"class":"{{errorClass}}","desc":"It is so."},"id":1}""");
        StratoException error = Assert.Throws<StratoException>(() => QmpCommand.Result(answer.RootElement, "stop", "vm"));
        Assert.Equal(($"Qmp{errorClass}", category), (error.Id, ErrorRecords.From(error, "vm").CategoryInfo.Category));
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
