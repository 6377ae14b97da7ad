using System.Collections.Generic;
using System.IO;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using FileMode = ScoutFs.Volume.Format.FileMode;

namespace ScoutFs.Volume.Tests.Offline;

public sealed class ManifestWriterTests
{
    [Test]
    public async Task Write_SparseFile_HashesHolesAsZeros()
    {
        var items = new ItemVolume().AddDirectory(1).Link(1, 2, "f", 10);
        items.AddFile(10, 3 * 4096).AddXattr(10, 0, "user.a", "text"u8.ToArray());
        items.AddXattr(10, 1, "user.b", [7]).AddXattr(10, 2, "user.c", new byte[257]);
        var (lines, problems) = await WriteAsync(items);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(problems, Is.Empty);

            // sha256 of 12288 zero bytes, and of 257.
            Assert.That(lines[1], Does.Contain(
                "\"sha256\": \"f3cc103136423a57975750907ebc1d367e2985ac6338976d4d5a439f50323f4a\", \"data_segs\": []"));
            Assert.That(lines[1], Does.Contain(
                "\"xattrs\": {\"user.a\": \"text\", \"user.b\": {\"hex\": \"07\"}, \"user.c\": {\"len\": 257, "));
        }
    }

    [Test]
    public async Task Write_DamagedFiles_LeavesThemOutAndSaysSo()
    {
        var items = new ItemVolume().AddDirectory(1);
        items.AddFile(10, 4096).AddExtent(10, 0, 1, 1).Link(1, 2, "bad-extent", 10);
        items.AddFile(11, 8192).AddExtent(11, 0, 1, 100).AddExtent(11, 1, 1, 0, 1).Link(1, 3, "says-online", 11);
        items.AddFile(12, 4096).AddExtent(12, 0, 1, 100).Link(1, 4, "good", 12);
        items.AddInode(13, FileMode.Symlink, 9999).Link(1, 5, "z-link", 13, DirentType.Symlink);
        var (lines, problems) = await WriteAsync(items);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(lines, Has.Count.EqualTo(2));
            Assert.That(lines[1], Does.Contain("\"path\": \"/good\"").And.Contain(
                "ad7facb2586fc6e966c004d7d1d16b024f5805ff7cb47c7a85dabd8b48892ca7"));
            Assert.That(problems, Has.Count.EqualTo(3));
            Assert.That(problems[0].Message, Does.Contain("/bad-extent").And.Contain("ExtentShape"));
            Assert.That(problems[1].Message, Does.Contain("/says-online").And.Contain("offline"));
            Assert.That(problems[2].Message, Does.Contain("/z-link"));
        }
    }

    private static async Task<(List<string> Lines, List<VolumeException> Problems)> WriteAsync(ItemVolume items)
    {
        using var volume = await items.OpenAsync();
        using var reader = new VolumeReader(volume);
        var start = await new PathResolver(reader).ResolveAsync(default, false, CancellationToken.None);
        var problems = new List<VolumeException>();
        using var output = new MemoryStream();
        await new ManifestWriter(reader, output).WriteAsync(start, problems.Add, null, CancellationToken.None);
        string text = Encoding.ASCII.GetString(output.ToArray());
        return ([.. text.TrimEnd('\n').Split('\n')], problems);
    }
}
