struct Server;

impl Server {
    #[unboxed::task]
    async fn serve(&self) {}
}

fn main() {}
