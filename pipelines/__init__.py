"""Complete pipelines that run on kwdag; kwdag itself knows none of them."""
