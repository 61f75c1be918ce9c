using System.Collections;
using System.IO;
using System.Management.Automation;
using Strato.Client.Linux;
using Strato.Tests.CmdletHost;
using Strato.Tests.Unit.Client.Images;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>New-StratoGuestImage and Invoke-StratoVm.</summary>
[Collection(CmdletCollection.Name)]
public sealed class ImageTests : CmdletTests
{
    private static readonly byte[] Layer = Archives.Tar(Archives.Folder("etc"), Archives.File("etc/passwd", "root:x:0:0::/root:/bin/sh\nweb:x:33:33::/srv:/bin/sh\n"));

    private Step Make() => new Step("New-StratoGuestImage").With("Path", "image.tar").With("Destination", "made").With("Kernel", "vmlinuz").With("ModulePath", "");

    private void WriteImage()
    {
        Assert.SkipWhen(ProgramPath.Find("mke2fs", ProgramPath.Folders + ":/usr/sbin:/sbin") is null, "mke2fs isn't installed");
        File.WriteAllBytes(Path.Combine(Store.Root, "image.tar"), Archives.Oci([Layer], Archives.Zip));
    }

    [Fact]
    public void AnImageGoesIntoAVmByItsProperties()
    {
        WriteImage();
        Assert.Empty(Run(Make().Switch("WhatIf")).Output);
        Assert.False(Directory.Exists(Path.Combine(Store.Root, "made")));
        GuestImage image = Run(Make()).Single<GuestImage>();
        string folder = Path.Combine(Store.Root, "made");
        Assert.Equal((folder, Path.Combine(folder, "root.ext4"), Path.Combine(Store.Root, "image.tar")), (image.Folder, image.Root, image.Source));
        Assert.StartsWith("sha256:", image.Digest, System.StringComparison.Ordinal);
        Assert.Equal(["/bin/echo", "hello"], image.Command);
        AssertError(Error(Make()), "FileExists", ErrorCategory.ResourceExists, "image.tar");
        Run(Make().Switch("Force"));

        // As the pipeline's binding of properties does.
        Vm vm = Run(new Step("New-StratoVm", "web").With("Kernel", image.Kernel).With("Initrd", image.Initrd).With("CommandLine", image.CommandLine)).Single<Vm>();
        Assert.Equal((image.Kernel, image.Initrd, "console=ttyS0 reboot=k panic=-1 root=/dev/vda rw"), (vm.Kernel, vm.Initrd, vm.CommandLine));
    }

    [Fact]
    public void WhatIsNotThereIsTold()
    {
        AssertError(Error(Make()), "ImageNotFound", ErrorCategory.ObjectNotFound, "image.tar");
        AssertError(Error(new Step("Invoke-StratoVm", "none.tar", "true")), "ImageNotFound", ErrorCategory.ObjectNotFound, "none.tar");
        File.WriteAllText(Path.Combine(Store.Root, "image.tar"), "nonsense");
        AssertError(Error(Make()), "ImageDamaged", ErrorCategory.InvalidData, "image.tar");
        AssertError(Error(Make().With("Size", 5L)), "ImageSize", ErrorCategory.InvalidArgument, "image.tar");
    }

    [Fact]
    public void ACommandIsOneOfThree()
    {
        Assert.StartsWith("ParametersConflict", Terminates(new Step("Invoke-StratoVm", "image.tar", "true").With("FilePath", "ls")), System.StringComparison.Ordinal);
        Assert.StartsWith("ParametersConflict", Terminates(new Step("Invoke-StratoVm", "image.tar").With("ArgumentList", new[] { "x" })), System.StringComparison.Ordinal);
        AssertError(Error(new Step("Invoke-StratoVm", 5)), "ImageUnknown", ErrorCategory.InvalidArgument, 5);
    }

    [Fact]
    public void AGuestThatNeverAnswersIsAnErrorAndGone()
    {
        WriteImage();
        static Step Invoke() =>
            new Step("Invoke-StratoVm", "image.tar", "true").With("Kernel", "vmlinuz").With("ModulePath", "").With("Timeout", 1).With("Environment", new Hashtable { ["A"] = "b" });
        Assert.Empty(Run(Invoke().Switch("WhatIf")).Output);
        AssertError(Error(Invoke()), "CommandTimeout", ErrorCategory.OperationTimeout, "image.tar");
        GuestImage image = Run(Make()).Single<GuestImage>();
        AssertError(Error(new Step("Invoke-StratoVm", image).With("Timeout", 1)), "CommandTimeout", ErrorCategory.OperationTimeout, image);
        Assert.Empty(Run(new Step("Get-StratoVm")).Output);
    }
}
